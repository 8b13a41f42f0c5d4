import * as React from 'react';

import { duration, number } from '../../format';
import { useTrans } from '../../ui/context';
import type { ISelection } from '../../ui/resources';
import { useWindow } from '../../ui/virtual';
import type { IScene } from '../model/scene';
import type { IOrder, TrialSort, TrialState } from '../model/trials';
import {
  extraMetrics,
  filterTrials,
  parameterNames,
  sortTrials,
  trialState
} from '../model/trials';
import type { ITrial } from '../model/types';
import { TrialBadge } from './badge';
import { useHeld, useRowKeys } from './rows';
import { TrialBar } from './tablebar';
import { parameterText } from './words';

export const ROW = 30;
/** Metric columns beside the objective. */
const METRICS = 3;

interface IColumn {
  readonly id: TrialSort;
  readonly title: string;
  readonly width: string;
  readonly number: boolean;
  cell(trial: ITrial): React.ReactNode;
}

export interface ITrialTableProps {
  scene: IScene;
  selected: string | null;
  onPick: (name: string) => void;
  selection: ISelection;
  onCompare: () => void;
  onVisible: (names: readonly string[]) => void;
}

/** All trials: sorted, filtered, several selected. Draws only the rows in sight. */
export const TrialTable = React.memo(function TrialTable(props: ITrialTableProps): JSX.Element {
  const { scene } = props;
  const [states, setStates] = React.useState<ReadonlySet<TrialState>>(new Set());
  const [query, setQuery] = React.useState('');
  const [order, setOrder] = React.useState<IOrder>({ by: 'number', down: true });
  const columns = useColumns(scene);
  const sorted = React.useMemo(
    () => sortTrials(filterTrials(scene.chosen, states, query), order),
    [scene.chosen, states, query, order]
  );
  // Another order, filter or range is meant to move rows; a trial that comes in is not.
  const choice = [order.by, order.down, query, ...states, JSON.stringify(scene.brush)].join('/');
  const held = useHeld(sorted, choice);
  const { onVisible } = props;
  React.useEffect(() => onVisible(sorted.map(trial => trial.name)), [sorted, onVisible]);
  const template = ['22px', ...columns.map(column => column.width)].join(' ');
  return (
    <div className="jk-Trials" style={{ '--jk-columns': template } as React.CSSProperties}>
      <TrialBar
        {...props}
        states={states}
        onStates={setStates}
        query={query}
        onQuery={setQuery}
        shown={sorted.length}
        fresh={held.fresh}
        onFresh={held.show}
      />
      <Grid
        {...props}
        columns={columns}
        trials={held.items}
        order={order}
        onOrder={setOrder}
        onHold={held.hold}
        filtered={states.size > 0 || query !== ''}
      />
    </div>
  );
});

function useColumns(scene: IScene): IColumn[] {
  const trans = useTrans();
  const metric = scene.objective.objectiveMetricName;
  const names = parameterNames(scene.experiment.spec.parameters ?? [], scene.trials.slice(0, 50));
  const metrics = extraMetrics(scene.trials.slice(-200), metric).slice(0, METRICS);
  const words = scene.experiment.spec.parameters
    .filter(each => each.parameterType === 'categorical')
    .map(each => each.name);
  const known = `${names.join()}/${metrics.join()}/${words.join()}`;
  return React.useMemo(
    () => [
      {
        id: 'number',
        title: trans.__('Trial'),
        width: '58px',
        number: true,
        cell: trial => trial.number
      },
      {
        id: 'state',
        title: trans.__('State'),
        width: '98px',
        number: false,
        cell: trial => <TrialBadge trial={trial} />
      },
      {
        id: 'value',
        title: metric,
        width: 'minmax(66px, 1fr)',
        number: true,
        cell: trial => number(trial.value)
      },
      ...names.map((name): IColumn => ({
        id: `parameter:${name}`,
        title: name,
        width: 'minmax(66px, 1fr)',
        number: words.indexOf(name) < 0,
        cell: trial => parameterText(trial.parameters[name])
      })),
      ...metrics.map((name): IColumn => ({
        id: `metric:${name}`,
        title: name,
        width: 'minmax(66px, 1fr)',
        number: true,
        cell: trial => number(trial.metrics?.[name])
      })),
      {
        id: 'seconds',
        title: trans.__('Duration'),
        width: '72px',
        number: true,
        cell: trial => duration(trial.seconds)
      }
    ],
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [known, metric, trans]
  );
}

function Grid(
  props: ITrialTableProps & {
    columns: readonly IColumn[];
    trials: readonly ITrial[];
    order: IOrder;
    onOrder: (order: IOrder) => void;
    onHold: (held: boolean) => void;
    filtered: boolean;
  }
): JSX.Element {
  const { trials, columns, selection, scene } = props;
  const trans = useTrans();
  const scroller = React.useRef<HTMLDivElement>(null);
  const { from, to } = useWindow(scroller, trials.length, ROW);
  const onKeyDown = useRowKeys(scroller, trials.length, ROW);
  const minimum = 62 + columns.length * 80;
  return (
    <div
      className="jk-Trials-scroller"
      ref={scroller}
      role="grid"
      aria-label={trans.__('Trials')}
      aria-rowcount={trials.length + 1}
      tabIndex={trials.length ? -1 : 0}
      onKeyDown={onKeyDown}
      onPointerEnter={() => props.onHold(true)}
      onPointerLeave={() => props.onHold(false)}
    >
      <div className="jk-Trials-head" role="row" aria-rowindex={1} style={{ minWidth: minimum }}>
        <span role="columnheader">
          <span className="jk-visuallyHidden">{trans.__('Selected')}</span>
        </span>
        {columns.map(column => (
          <Head key={column.id} column={column} order={props.order} onOrder={props.onOrder} />
        ))}
      </div>
      <div
        role="rowgroup"
        className="jk-Trials-body"
        style={{ height: trials.length * ROW, minWidth: minimum }}
      >
        {trials.slice(from, to).map((trial, index) => (
          <Row
            key={trial.name}
            trial={trial}
            index={from + index}
            columns={columns}
            best={trial.name === scene.best?.name}
            open={trial.name === props.selected}
            selected={selection.selected.has(trial.name)}
            onSelect={selection.select}
            onPick={props.onPick}
          />
        ))}
      </div>
      {!trials.length && (
        <p className="jk-Quiet" role="row">
          <span role="gridcell">
            {props.filtered || scene.passed
              ? trans.__('No trial is like that.')
              : trans.__('No trial has begun yet.')}
          </span>
        </p>
      )}
    </div>
  );
}

function Head(props: {
  column: IColumn;
  order: IOrder;
  onOrder: (order: IOrder) => void;
}): JSX.Element {
  const { column, order } = props;
  const active = order.by === column.id;
  return (
    <span
      role="columnheader"
      aria-sort={active ? (order.down ? 'descending' : 'ascending') : undefined}
      className={column.number ? 'jk-mod-number' : undefined}
    >
      <button
        type="button"
        title={column.title}
        onClick={() => props.onOrder({ by: column.id, down: active ? !order.down : false })}
      >
        <span className="jk-Ellipsis" dir="auto">
          {column.title}
        </span>
        <span aria-hidden="true">{active ? (order.down ? '↓' : '↑') : ''}</span>
      </button>
    </span>
  );
}

const Row = React.memo(function Row(props: {
  trial: ITrial;
  index: number;
  columns: readonly IColumn[];
  best: boolean;
  open: boolean;
  selected: boolean;
  onSelect: (name: string, range: boolean) => void;
  onPick: (name: string) => void;
}): JSX.Element {
  const { trial, columns } = props;
  const trans = useTrans();
  const classes = ['jk-Trials-row', `jk-mod-${trialState(trial)}`];
  if (props.selected) {
    classes.push('jk-mod-selected');
  }
  if (props.open) {
    classes.push('jk-mod-open');
  }
  if (props.best) {
    classes.push('jk-mod-best');
  }
  const [first, ...rest] = columns;
  return (
    <div
      role="row"
      aria-rowindex={props.index + 2}
      aria-selected={props.selected}
      className={classes.join(' ')}
      style={{ top: props.index * ROW, height: ROW }}
      data-trial={trial.number}
      data-state={trialState(trial)}
      onClick={event => {
        if (!(event.target as HTMLElement).closest('input, button')) {
          props.onPick(trial.name);
        }
      }}
    >
      <span role="gridcell">
        <input
          type="checkbox"
          checked={props.selected}
          aria-label={trans.__('Select trial %1', trial.number)}
          onChange={event => props.onSelect(trial.name, (event.nativeEvent as MouseEvent).shiftKey)}
        />
      </span>
      <span role="gridcell" className="jk-mod-number">
        <button
          type="button"
          className="jk-Trials-open"
          data-row={props.index}
          aria-label={
            props.best
              ? trans.__('Trial %1, the best', trial.number)
              : trans.__('Trial %1', trial.number)
          }
          onClick={() => props.onPick(trial.name)}
        >
          {props.best && <span aria-hidden="true">★ </span>}
          {first.cell(trial)}
        </button>
      </span>
      {rest.map(column => (
        <span
          role="gridcell"
          key={column.id}
          dir={column.number ? undefined : 'auto'}
          className={column.number ? 'jk-mod-number' : 'jk-Ellipsis'}
        >
          {column.cell(trial)}
        </span>
      ))}
    </div>
  );
});
