import * as React from 'react';

import type { IColumn, ISection } from '../kinds';
import { stateOf } from '../kinds';
import { itemFilter, sortItems } from '../model/filter';
import { keyOf, newestFirst, splitKey } from '../model/merge';
import type { IResources } from '../model/resources';
import type { IWork } from '../model/types';
import { Bulk } from './bulk';
import { useKubeflow, useTrans } from './context';
import { ErrorLine, onListKeys } from './controls';
import { useEntries } from './entries';
import type { IEntry } from './menu';
import { openMenu } from './menu';
import type { ISelection } from './resources';
import { useItem, useSelection } from './resources';
import type { ISearched } from './search';
import { useSearch } from './search';
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
  const loaded = useItems(section);
  const searched = useSearch(section, filter);
  const [sort, setSort] = React.useState<ISort>({ by: 'created', down: true });
  const items = React.useMemo(
    () => (searched.keys ? searched.keys.flatMap(key => itemOf(key, resources) ?? []) : loaded),
    [searched.keys, loaded, resources]
  );
  const { keys, columns } = React.useMemo(() => {
    const words = (state: Parameters<typeof stateWord>[0]) => stateWord(state, trans);
    const passes = new Map(
      section.kinds.map(view => [view.kind, itemFilter<IWork>(filter, view, words)])
    );
    const found = section.search ? items : items.filter(item => passes.get(item.kind)?.(item));
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
      <Bar {...props} shown={keys.length} selection={selection} searched={searched} />
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
          searching={searched.keys !== null}
        />
      )}
    </div>
  );
}

function itemOf(key: string, resources: IResources): IWork | undefined {
  const { kind, name } = splitKey(key);
  return resources.list(kind).get(name);
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
      width: section.kinds.every(view => view.mark) ? '84px' : '104px',
      sort: item => item.status.phase,
      cell: item =>
        viewOf(item.kind)?.mark?.(item) ?? (
          <StateBadge state={item.status.phase} reason={item.status.reason} />
        )
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
  searched: ISearched;
}): JSX.Element {
  const { section, searched } = props;
  const { resources } = useKubeflow();
  const id = React.useId();
  const unread = section.kinds.some(view => resources.list(view.kind).more);
  const more = (searched.keys ? searched.more : unread) ? '+' : '';
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
        aria-invalid={searched.problem ? true : undefined}
        aria-describedby={searched.problem ? id : undefined}
        onChange={event => props.onFilter(event.target.value)}
      />
      {searched.problem && (
        <p className="jk-FieldError" id={id} role="status">
          {searched.problem}
        </p>
      )}
      <span className="jk-Spacer" />
      {props.selection.selected.size > 0 && <Bulk section={section} selection={props.selection} />}
    </div>
  );
}

function Grid(props: {
  section: ISection;
  columns: readonly IColumn[];
  keys: readonly string[];
  sort: ISort;
  onSort: (sort: ISort) => void;
  selection: ISelection;
  searching: boolean;
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
      .filter(list => last && list.more && !props.searching)
      .forEach(list => void list.loadMore());
  }, [last, resources, section, keys.length, props.searching]);
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
  const { trans, sections } = useKubeflow();
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
      data-state={stateOf(sections.view(kind), item)}
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
