import * as React from 'react';

import type { IColumn, ISection } from '../kinds';
import { itemFilter, sortItems } from '../model/filter';
import { keyOf, newestFirst, splitKey } from '../model/merge';
import { knownState } from '../model/states';
import type { IWork } from '../model/types';
import { useKubeflow, useTrans } from './context';
import { Button, ErrorLine, InlineConfirm, onListKeys } from './controls';
import { useEntries } from './entries';
import type { IEntry } from './menu';
import { openMenu } from './menu';
import type { ISelection } from './resources';
import { useItem, useSelection } from './resources';
import { StateBadge, stateWord } from './state';
import { useWindow } from './virtual';

const ROW = 44;

interface ISort {
  by: string;
  down: boolean;
}

/** The items of all kinds of a section; a new array whenever one of them changed. */
function useItems(section: ISection): readonly IWork[] {
  const { resources } = useKubeflow();
  const lists = React.useMemo(
    () => section.kinds.map(view => resources.list(view.kind)),
    [section, resources]
  );
  const last = React.useRef<{ from: readonly (readonly IWork[])[]; items: readonly IWork[] }>();
  const subscribe = React.useCallback(
    (call: () => void) => {
      lists.forEach(list => list.changed.connect(call));
      return () => lists.forEach(list => list.changed.disconnect(call));
    },
    [lists]
  );
  return React.useSyncExternalStore(subscribe, () => {
    const from = lists.map(list => list.items);
    if (!last.current || from.some((items, at) => items !== last.current?.from[at])) {
      last.current = { from, items: newestFirst(from) };
    }
    return last.current.items;
  });
}

/** Everything a section has: sort, filter, select several, compare, delete. Draws only the rows in sight. */
export function ResourceTable(props: {
  section: ISection;
  filter: string;
  onFilter: (filter: string) => void;
}): JSX.Element {
  const { section, filter } = props;
  const { trans, resources, sections } = useKubeflow();
  const items = useItems(section);
  const [sort, setSort] = React.useState<ISort>({ by: 'created', down: true });
  const { keys, columns } = React.useMemo(() => {
    const words = (state: Parameters<typeof stateWord>[0]) => stateWord(state, trans);
    const passes = new Map(
      section.kinds.map(view => [view.kind, itemFilter<IWork>(filter, view, words)])
    );
    const found = items.filter(item => passes.get(item.kind)?.(item));
    const all = allColumns(section, found, trans, kind => sections.view(kind));
    const key = all.find(column => column.id === sort.by)?.sort;
    const newest = sort.by === 'created' && sort.down;
    const sorted = newest || !key ? found : sortItems(found, key, sort.down);
    return { keys: sorted.map(keyOf), columns: all };
  }, [items, filter, sort, section, sections, trans]);
  const selection = useSelection(keys);
  const template = `22px ${columns.map(column => column.width).join(' ')} 28px`;
  const failed = section.kinds.map(view => resources.list(view.kind)).find(list => list.error);
  return (
    <div className="jk-Runs" style={{ '--jk-columns': template } as React.CSSProperties}>
      <Bar {...props} shown={keys.length} selection={selection} />
      {failed && !items.length ? (
        <ErrorLine error={failed.error} onRetry={() => void resources.refresh()} />
      ) : (
        <Grid
          section={section}
          columns={columns}
          keys={keys}
          sort={sort}
          onSort={setSort}
          selection={selection}
        />
      )}
    </div>
  );
}

function allColumns(
  section: ISection,
  items: readonly IWork[],
  trans: ReturnType<typeof useTrans>,
  viewOf: (kind: string) => ISection['kinds'][number] | undefined
): IColumn[] {
  const title = (item: IWork) => viewOf(item.kind)?.title(item) ?? item.metadata.name;
  return [
    {
      id: 'state',
      title: trans.__('State'),
      width: '104px',
      sort: item => item.status.phase,
      cell: item => <StateBadge state={item.status.phase} reason={item.status.reason} />
    },
    {
      id: 'name',
      title: trans.__('Name'),
      width: 'minmax(150px, 2fr)',
      sort: item => title(item).toLocaleLowerCase(),
      cell: item => <NameCell item={item} title={title(item)} />
    },
    ...section.columns(items)
  ];
}

function NameCell(props: { item: IWork; title: string }): JSX.Element {
  const kubeflow = useKubeflow();
  const { kind, metadata } = props.item;
  return (
    <button type="button" data-row="" onClick={() => void kubeflow.open(kind, metadata.name)}>
      <span className="jk-Ellipsis" dir="auto" title={props.title}>
        {props.title}
      </span>
      {props.title !== metadata.name && <span className="jk-Runs-id">{metadata.name}</span>}
    </button>
  );
}

function Bar(props: {
  section: ISection;
  filter: string;
  onFilter: (filter: string) => void;
  shown: number;
  selection: ISelection;
}): JSX.Element {
  const { section } = props;
  const { resources } = useKubeflow();
  const more = section.kinds.some(view => resources.list(view.kind).more) ? '+' : '';
  return (
    <div className="jk-Runs-bar">
      <h1>{section.words.items}</h1>
      <span className="jk-Count">
        {props.shown}
        {more}
      </span>
      <input
        type="search"
        aria-label={section.words.filter}
        placeholder={section.words.hint}
        value={props.filter}
        dir="auto"
        onChange={event => props.onFilter(event.target.value)}
      />
      <span className="jk-Spacer" />
      {props.selection.selected.size > 0 && <Bulk section={section} selection={props.selection} />}
    </div>
  );
}

function Bulk(props: { section: ISection; selection: ISelection }): JSX.Element {
  const { section, selection } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [asking, setAsking] = React.useState<string | null>(null);
  const keys = selection.all();
  const names = keys.map(key => splitKey(key).name);
  const view = kubeflow.sections.view(splitKey(keys[0] ?? '').kind);
  const actions = (view?.actions ?? []).filter(action => action.bulk && action.icon);
  const remove = view?.actions.find(action => action.command.includes(':delete-'));
  if (asking) {
    return (
      <InlineConfirm
        question={
          names.length === 1
            ? trans.__('Delete %1?', names[0])
            : trans.__('Delete %1 of them?', names.length)
        }
        verb={trans.__('Delete')}
        onCancel={() => setAsking(null)}
        onConfirm={async () => {
          await kubeflow.execute(asking, { names, confirmed: true });
          selection.clear();
          setAsking(null);
        }}
      />
    );
  }
  return (
    <>
      <span>{trans.__('%1 selected', keys.length)}</span>
      {section.compare && (
        <Button
          label={trans.__('Compare')}
          kind="primary"
          disabled={compareReason(keys.length, trans)}
          onClick={() => section.compare?.(names)}
        />
      )}
      {actions
        .filter(action => action !== remove && !kubeflow.whyNot(action.command, { names }))
        .map(action => (
          <Button
            key={action.command}
            label={action.label}
            icon={action.icon}
            onClick={() => kubeflow.execute(action.command, { names })}
          />
        ))}
      {remove && (
        <Button
          label={trans.__('Delete')}
          disabled={kubeflow.whyNot(remove.command, { names })}
          onClick={() => setAsking(remove.command)}
        />
      )}
      <Button label={trans.__('Clear')} onClick={selection.clear} />
    </>
  );
}

export function compareReason(count: number, trans: ReturnType<typeof useTrans>): string | null {
  if (count < 2) {
    return trans.__('Select at least two.');
  }
  return count > 10 ? trans.__('At most ten fit side by side.') : null;
}

function Grid(props: {
  section: ISection;
  columns: readonly IColumn[];
  keys: readonly string[];
  sort: ISort;
  onSort: (sort: ISort) => void;
  selection: ISelection;
}): JSX.Element {
  const { section, keys, columns } = props;
  const { trans, resources } = useKubeflow();
  const scroller = React.useRef<HTMLDivElement>(null);
  const { from, to } = useWindow(scroller, keys.length, ROW);
  const entries = useEntries(section);
  const last = to >= keys.length;
  React.useEffect(() => {
    section.kinds
      .map(view => resources.list(view.kind))
      .filter(list => last && list.more)
      .forEach(list => void list.loadMore());
  }, [last, resources, section, keys.length]);
  const loaded = section.kinds.some(view => resources.list(view.kind).loaded);
  return (
    <div
      className="jk-Runs-scroller"
      ref={scroller}
      role="grid"
      aria-label={section.words.items}
      aria-rowcount={keys.length + 1}
      onKeyDown={onListKeys}
      tabIndex={keys.length ? -1 : 0}
    >
      <div className="jk-Runs-head" role="row" aria-rowindex={1}>
        <span role="columnheader">
          <span className="jk-visuallyHidden">{trans.__('Selected')}</span>
        </span>
        {columns.map(column => (
          <Header key={column.id} column={column} sort={props.sort} onSort={props.onSort} />
        ))}
        <span role="columnheader">
          <span className="jk-visuallyHidden">{trans.__('Actions')}</span>
        </span>
      </div>
      <div role="rowgroup" className="jk-Runs-body" style={{ height: keys.length * ROW }}>
        {keys.slice(from, to).map((key, index) => (
          <Row
            key={key}
            id={key}
            index={from + index}
            columns={columns}
            selected={props.selection.selected.has(key)}
            onSelect={props.selection.select}
            all={props.selection.all}
            entries={entries}
          />
        ))}
      </div>
      {!keys.length && (
        <p className="jk-Quiet" role="row">
          <span role="gridcell">
            {loaded ? trans.__('Nothing to show.') : trans.__('Loading…')}
          </span>
        </p>
      )}
    </div>
  );
}

function Header(props: {
  column: IColumn;
  sort: ISort;
  onSort: (sort: ISort) => void;
}): JSX.Element {
  const { column, sort } = props;
  const active = column.id === sort.by;
  const order = active ? (sort.down ? 'descending' : 'ascending') : undefined;
  return (
    <span role="columnheader" aria-sort={order}>
      {column.sort ? (
        <button
          type="button"
          title={column.title}
          onClick={() =>
            props.onSort({ by: column.id, down: active ? !sort.down : column.id !== 'name' })
          }
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
  id: string;
  index: number;
  columns: readonly IColumn[];
  selected: boolean;
  onSelect: (key: string, range: boolean) => void;
  all: () => readonly string[];
  entries: (keys: readonly string[]) => readonly IEntry[];
}): JSX.Element | null {
  const { id } = props;
  const { trans } = useKubeflow();
  const { kind, name } = splitKey(id);
  const item = useItem(kind, name);
  if (!item) {
    return null;
  }
  const menu = (event: React.MouseEvent) =>
    openMenu(event, props.entries(props.selected ? props.all() : [id]));
  return (
    <div
      role="row"
      aria-rowindex={props.index + 2}
      aria-selected={props.selected}
      className={props.selected ? 'jk-Runs-row jk-mod-selected' : 'jk-Runs-row'}
      style={{ top: props.index * ROW, height: ROW }}
      data-run={name}
      data-kind={kind}
      data-state={knownState(item.status.phase)}
      onContextMenu={menu}
    >
      <span role="gridcell">
        <input
          type="checkbox"
          checked={props.selected}
          aria-label={trans.__('Select %1', name)}
          onChange={event => props.onSelect(id, (event.nativeEvent as MouseEvent).shiftKey)}
        />
      </span>
      {props.columns.map(column => (
        <span
          role="gridcell"
          key={column.id}
          className={
            column.id === 'name' ? 'jk-Runs-name' : column.number ? 'jk-Number' : undefined
          }
        >
          {column.cell(item)}
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
