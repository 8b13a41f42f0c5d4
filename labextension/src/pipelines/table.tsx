import * as React from 'react';

import { duration, exact, number } from '../format';
import { runTitle } from '../model/actions';
import type { RunSort } from '../model/filter';
import { metricNames, runFilter, sortRuns } from '../model/filter';
import { isActive, knownState, tone } from '../model/states';
import type { IRun } from '../model/types';
import { CommandIDs } from '../tokens';
import { useKubeflow, useSignal, useTrans } from '../ui/context';
import { Button, ErrorLine, InlineConfirm, onListKeys } from '../ui/controls';
import type { ISelection } from '../ui/runs';
import { useRun, useSelection } from '../ui/runs';
import { StateBadge, stateWord } from '../ui/state';
import { Elapsed, RelativeTime } from '../ui/time';
import { useWindow } from '../ui/virtual';
import { openRunMenu } from './menu';
import { triggerText } from './words';

const ROW = 44;

interface IColumn {
  id: RunSort | 'steps' | 'trigger';
  title: string;
  sort?: RunSort;
}

/** All runs: sort, filter, select several, compare, delete. Draws only the rows in sight. */
export function RunsTable(props: {
  filter: string;
  onFilter: (filter: string) => void;
}): JSX.Element {
  const kubeflow = useKubeflow();
  const { trans, resources } = kubeflow;
  const { runs } = resources;
  const changed = useSignal(runs.changed);
  const [sort, setSort] = React.useState<{ by: RunSort; down: boolean }>({
    by: 'created',
    down: true
  });
  const items = runs.items;
  const { shown, metrics } = React.useMemo(() => {
    const pass = runFilter(props.filter, state => stateWord(state, trans));
    const found = items.filter(pass);
    const sorted = sort.by === 'created' && sort.down ? found : sortRuns(found, sort.by, sort.down);
    return { shown: sorted.map(run => run.metadata.name), metrics: metricNames(found).slice(0, 3) };
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [items, changed, props.filter, sort, trans]);
  const selection = useSelection(shown);
  const columns: IColumn[] = [
    { id: 'state', title: trans.__('State'), sort: 'state' },
    { id: 'name', title: trans.__('Run'), sort: 'name' },
    { id: 'steps', title: trans.__('Steps') },
    { id: 'seconds', title: trans.__('Duration'), sort: 'seconds' },
    { id: 'created', title: trans.__('Started'), sort: 'created' },
    { id: 'trigger', title: trans.__('Trigger') },
    ...metrics.map((name): IColumn => ({
      id: `metric:${name}`,
      title: name,
      sort: `metric:${name}`
    }))
  ];
  const template = `22px 104px minmax(150px, 2fr) minmax(96px, 1fr) 76px 96px minmax(76px, 1fr)${' minmax(62px, 0.7fr)'.repeat(metrics.length)} 28px`;
  return (
    <div className="jk-Runs" style={{ '--jk-columns': template } as React.CSSProperties}>
      <Bar {...props} shown={shown.length} selection={selection} />
      {runs.error && !runs.items.length ? (
        <ErrorLine error={runs.error} onRetry={() => void resources.refresh()} />
      ) : (
        <Grid
          columns={columns}
          metrics={metrics}
          shown={shown}
          sort={sort}
          onSort={setSort}
          selection={selection}
        />
      )}
    </div>
  );
}

function Bar(props: {
  filter: string;
  onFilter: (filter: string) => void;
  shown: number;
  selection: ISelection;
}): JSX.Element {
  const kubeflow = useKubeflow();
  const { trans, resources } = kubeflow;
  const [deleting, setDeleting] = React.useState(false);
  const names = props.selection.all();
  const count = props.selection.selected.size;
  const more = resources.runs.more ? '+' : '';
  return (
    <div className="jk-Runs-bar">
      <h1>{trans.__('Runs')}</h1>
      <span className="jk-Runs-count">
        {trans._n('%1 run', '%1 runs', props.shown).replace(/^\d+/, value => `${value}${more}`)}
      </span>
      <input
        type="search"
        aria-label={trans.__('Filter runs')}
        placeholder={trans.__('Filter: failed, a name, lr=0.1')}
        value={props.filter}
        dir="auto"
        onChange={event => props.onFilter(event.target.value)}
      />
      <span className="jk-Spacer" />
      {deleting && count ? (
        <InlineConfirm
          question={trans._n('Delete this run?', 'Delete %1 runs?', names.length)}
          verb={trans.__('Delete')}
          onCancel={() => setDeleting(false)}
          onConfirm={async () => {
            await kubeflow.execute(CommandIDs.deleteRun, { names: [...names], confirmed: true });
            props.selection.clear();
            setDeleting(false);
          }}
        />
      ) : count ? (
        <>
          <span>{trans.__('%1 selected', count)}</span>
          <Button
            label={trans.__('Compare')}
            kind="primary"
            disabled={compareReason(count, trans)}
            onClick={() => kubeflow.openCompare(names)}
          />
          <Button
            label={trans.__('Delete')}
            disabled={kubeflow.whyNot(CommandIDs.deleteRun, { names: [...names] })}
            onClick={() => setDeleting(true)}
          />
          <Button label={trans.__('Clear')} onClick={props.selection.clear} />
        </>
      ) : null}
    </div>
  );
}

export function compareReason(count: number, trans: ReturnType<typeof useTrans>): string | null {
  if (count < 2) {
    return trans.__('Select at least two runs.');
  }
  return count > 10 ? trans.__('At most ten runs fit side by side.') : null;
}

function Grid(props: {
  columns: IColumn[];
  metrics: string[];
  shown: readonly string[];
  sort: { by: RunSort; down: boolean };
  onSort: (sort: { by: RunSort; down: boolean }) => void;
  selection: ISelection;
}): JSX.Element {
  const { trans, resources } = useKubeflow();
  const scroller = React.useRef<HTMLDivElement>(null);
  const { from, to } = useWindow(scroller, props.shown.length, ROW);
  const last = to >= props.shown.length;
  React.useEffect(() => {
    if (last && resources.runs.more) {
      void resources.runs.loadMore();
    }
  }, [last, resources, props.shown.length]);
  return (
    <div
      className="jk-Runs-scroller"
      ref={scroller}
      role="grid"
      aria-label={trans.__('Runs')}
      aria-rowcount={props.shown.length + 1}
      onKeyDown={onListKeys}
      tabIndex={props.shown.length ? -1 : 0}
    >
      <div className="jk-Runs-head" role="row" aria-rowindex={1}>
        <span role="columnheader">
          <span className="jk-visuallyHidden">{trans.__('Selected')}</span>
        </span>
        {props.columns.map(column => (
          <Header key={column.id} column={column} sort={props.sort} onSort={props.onSort} />
        ))}
        <span role="columnheader">
          <span className="jk-visuallyHidden">{trans.__('Actions')}</span>
        </span>
      </div>
      <div role="rowgroup" className="jk-Runs-body" style={{ height: props.shown.length * ROW }}>
        {props.shown.slice(from, to).map((name, index) => (
          <Row
            key={name}
            name={name}
            index={from + index}
            metrics={props.metrics}
            selected={props.selection.selected.has(name)}
            onSelect={props.selection.select}
            all={props.selection.all}
          />
        ))}
      </div>
      {!props.shown.length && (
        <p className="jk-Quiet" role="row">
          <span role="gridcell">
            {resources.runs.loaded ? trans.__('No runs to show.') : trans.__('Loading…')}
          </span>
        </p>
      )}
    </div>
  );
}

function Header(props: {
  column: IColumn;
  sort: { by: RunSort; down: boolean };
  onSort: (sort: { by: RunSort; down: boolean }) => void;
}): JSX.Element {
  const { column, sort } = props;
  const by = column.sort;
  const active = by === sort.by;
  const order = active ? (sort.down ? 'descending' : 'ascending') : undefined;
  return (
    <span role="columnheader" aria-sort={order}>
      {by ? (
        <button
          type="button"
          title={column.title}
          onClick={() => props.onSort({ by, down: active ? !sort.down : by !== 'name' })}
        >
          <span className="jk-Ellipsis" dir="auto">
            {column.title}
          </span>
          <span aria-hidden="true">{active ? (sort.down ? '↓' : '↑') : ''}</span>
        </button>
      ) : (
        column.title
      )}
    </span>
  );
}

const Row = React.memo(function Row(props: {
  name: string;
  index: number;
  metrics: string[];
  selected: boolean;
  onSelect: (name: string, range: boolean) => void;
  all: () => readonly string[];
}): JSX.Element | null {
  const { name } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const run = useRun(name);
  if (!run) {
    return null;
  }
  const phase = knownState(run.status.phase);
  const menu = (event: React.MouseEvent) =>
    openRunMenu(
      event,
      (command, args) => kubeflow.execute(command, args),
      trans,
      props.selected ? props.all() : [name]
    );
  return (
    <div
      role="row"
      aria-rowindex={props.index + 2}
      aria-selected={props.selected}
      className={props.selected ? 'jk-Runs-row jk-mod-selected' : 'jk-Runs-row'}
      style={{ top: props.index * ROW, height: ROW }}
      data-run={name}
      data-state={phase}
      onContextMenu={menu}
    >
      <span role="gridcell">
        <input
          type="checkbox"
          checked={props.selected}
          aria-label={trans.__('Select %1', name)}
          onChange={event => props.onSelect(name, (event.nativeEvent as MouseEvent).shiftKey)}
        />
      </span>
      <span role="gridcell">
        <StateBadge state={phase} reason={run.status.reason} />
      </span>
      <span role="gridcell" className="jk-Runs-name">
        <button type="button" data-row="" onClick={() => void kubeflow.openRun(name)}>
          <span className="jk-Ellipsis" dir="auto" title={runTitle(run)}>
            {runTitle(run)}
          </span>
          <span className="jk-Runs-id">{name}</span>
        </button>
      </span>
      <span role="gridcell">
        <StepStrip run={run} />
      </span>
      <span role="gridcell" className="jk-Number">
        {isActive(phase) && run.status.startTime ? (
          <Elapsed start={run.status.startTime} />
        ) : (
          duration(run.status.seconds)
        )}
      </span>
      <span role="gridcell" title={exact(run.status.startTime)}>
        <RelativeTime time={run.status.startTime ?? run.metadata.creationTimestamp} />
      </span>
      <span role="gridcell" className="jk-Ellipsis" dir="auto">
        {triggerText(run, trans)}
      </span>
      {props.metrics.map(metric => (
        <span role="gridcell" key={metric} className="jk-Number">
          {number(run.status.metrics?.[metric])}
        </span>
      ))}
      <span role="gridcell">
        <button
          type="button"
          className="jk-Button jk-mod-icon"
          aria-haspopup="menu"
          aria-label={trans.__('More actions for %1', name)}
          onClick={menu}
        >
          ⋯
        </button>
      </span>
    </div>
  );
});

/** One thin bar per step in the colour of its state; words for screen readers. */
export function StepStrip(props: { run: IRun }): JSX.Element {
  const trans = useTrans();
  const steps = (props.run.status.steps ?? []).filter(step => !step.parent);
  const done = steps.filter(step => step.state === 'SUCCEEDED' || step.state === 'SKIPPED').length;
  const label = trans.__('%1 of %2 steps done', done, steps.length);
  return (
    <span className="jk-StepStrip" role="img" aria-label={label} title={label}>
      {steps.slice(0, 40).map(step => (
        <i
          key={step.name}
          className={`jk-tone-${tone(knownState(step.state))}${step.cached ? ' jk-mod-cached' : ''}`}
        />
      ))}
      <span aria-hidden="true">
        {done}/{steps.length}
      </span>
    </span>
  );
}
