import * as React from 'react';

import { bytes, number } from '../../format';
import { metricNames } from '../../model/filter';
import { useKubeflow } from '../../ui/context';
import { Button, CopyButton, ErrorLine, onListKeys } from '../../ui/controls';
import { openMenu } from '../../ui/menu';
import type { ISelection } from '../../ui/resources';
import { useSelection } from '../../ui/resources';
import { RelativeTime } from '../../ui/time';
import { ModelCommands } from '../commands';
import type { VersionFeed } from '../model/feed';
import { isArchived, reference, sortedAliases, sortVersions } from '../model/model';
import type { IModel, IVersion } from '../model/types';
import { Danger } from './danger';
import { Origin } from './origin';
import { versionEntries } from './versionmenu';
import type { Doing } from './view';

/** Metrics that have a column of their own. */
const METRICS = 3;

interface IColumn {
  readonly id: string;
  readonly title: string;
  readonly number?: boolean;
}

interface IActs {
  readonly onSelect: (version: string) => void;
  readonly onDo: (version: string, doing: Doing) => void;
}

/** All versions, newest first or as sorted; several at once can be compared or put away. */
export function Versions(
  props: { model: IModel; feed: VersionFeed; selected: string | null } & IActs
): JSX.Element {
  const { model, feed, selected } = props;
  const { trans } = useKubeflow();
  const [archived, setArchived] = React.useState(false);
  const [sort, setSort] = React.useState({ by: 'created', down: true });
  const gone = feed.items.filter(isArchived).length;
  const items = React.useMemo(() => {
    const shown = feed.items.filter(
      item => archived || !isArchived(item) || item.version === selected
    );
    return sort.by === 'created' && sort.down ? shown : sortVersions(shown, sort.by, sort.down);
  }, [feed.items, archived, selected, sort]);
  const columns = React.useMemo(() => columnsOf(items, trans), [items, trans]);
  const selection = useSelection(items.map(item => item.version));
  if (!feed.loaded) {
    return <p className="jk-Quiet jk-Versions-quiet">{trans.__('Loading…')}</p>;
  }
  if (!items.length && !gone) {
    return feed.error ? (
      <ErrorLine error={feed.error} onRetry={() => void feed.refresh()} />
    ) : (
      <NoVersions model={model} />
    );
  }
  return (
    <div className="jk-Versions">
      <Bar
        model={model}
        selection={selection}
        gone={gone}
        archived={archived}
        onArchived={setArchived}
      />
      {feed.error && <ErrorLine error={feed.error} onRetry={() => void feed.refresh()} />}
      <div className="jk-Versions-scroller">
        <table className="jk-Versions-table" aria-label={trans.__('Versions')}>
          <Head columns={columns} sort={sort} onSort={setSort} />
          <tbody onKeyDown={onListKeys}>
            {items.map(item => (
              <Row key={item.id} {...props} item={item} columns={columns} selection={selection} />
            ))}
          </tbody>
        </table>
        {feed.more && (
          <div className="jk-Versions-more">
            <Button label={trans.__('Show more')} onClick={() => feed.loadMore()} />
          </div>
        )}
      </div>
    </div>
  );
}

function columnsOf(
  items: readonly IVersion[],
  trans: ReturnType<typeof useKubeflow>['trans']
): IColumn[] {
  const metrics = metricNames(items.map(item => item.metrics ?? {})).slice(0, METRICS);
  return [
    { id: 'version', title: trans.__('Version') },
    ...metrics.map(name => ({ id: `metric:${name}`, title: name, number: true })),
    { id: 'state', title: trans.__('Stage') },
    { id: 'format', title: trans.__('Format') },
    { id: 'bytes', title: trans.__('Size'), number: true },
    { id: 'from', title: trans.__('From') },
    { id: 'created', title: trans.__('Registered') }
  ];
}

function NoVersions(props: { model: IModel }): JSX.Element {
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { name } = props.model.metadata;
  const code = `import jupyter_ext as kf\n\nkf.registry.register(model, ${JSON.stringify(name)})`;
  return (
    <div className="jk-Empty jk-Versions-quiet">
      <p>{trans.__('No version yet: a version is one set of files, with what made it.')}</p>
      <Button
        label={trans.__('Register a file')}
        kind="primary"
        onClick={() => kubeflow.execute(ModelCommands.register, { name })}
      />
      <div className="jk-Code">
        <pre tabIndex={0}>{code}</pre>
        <CopyButton text={code} label={trans.__('Copy code')} />
      </div>
    </div>
  );
}

function Bar(props: {
  model: IModel;
  selection: ISelection;
  gone: number;
  archived: boolean;
  onArchived: (shown: boolean) => void;
}): JSX.Element {
  const { model, selection } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const chosen = selection.all();
  const { name } = model.metadata;
  const refused =
    chosen.length < 2
      ? trans.__('Select at least two.')
      : chosen.length > 10
        ? trans.__('At most ten fit side by side.')
        : null;
  const compare = () =>
    kubeflow.execute(ModelCommands.compare, {
      names: [...chosen].reverse().map(version => reference({ model: name, version }))
    });
  const archive = async () => {
    for (const version of chosen) {
      await kubeflow.execute(ModelCommands.archive, { name, version });
    }
    selection.clear();
  };
  return (
    <div className="jk-Versions-bar" role="toolbar" aria-label={trans.__('Versions')}>
      <h2>{trans.__('Versions')}</h2>
      {chosen.length > 0 && <span>{trans.__('%1 selected', chosen.length)}</span>}
      <span className="jk-Spacer" />
      {props.gone > 0 && (
        <Button
          label={trans.__('Archived (%1)', props.gone)}
          pressed={props.archived}
          onClick={() => props.onArchived(!props.archived)}
        />
      )}
      <Button
        label={trans.__('Compare')}
        kind={refused ? 'plain' : 'primary'}
        disabled={refused}
        onClick={compare}
      />
      {chosen.length > 0 && <Button label={trans.__('Archive')} onClick={archive} />}
      {chosen.length > 0 && <Button label={trans.__('Clear')} onClick={selection.clear} />}
    </div>
  );
}

function Head(props: {
  columns: readonly IColumn[];
  sort: { by: string; down: boolean };
  onSort: (sort: { by: string; down: boolean }) => void;
}): JSX.Element {
  const { sort } = props;
  const trans = useKubeflow().trans;
  return (
    <thead>
      <tr>
        <th scope="col">
          <span className="jk-visuallyHidden">{trans.__('Selected')}</span>
        </th>
        {props.columns.map(({ id, title, number: isNumber }) => {
          const active = sort.by === id;
          const order = active ? (sort.down ? 'descending' : 'ascending') : undefined;
          return (
            <th
              key={id}
              scope="col"
              data-column={id}
              aria-sort={order}
              className={isNumber ? 'jk-Number' : undefined}
            >
              <button
                type="button"
                title={title}
                onClick={() => props.onSort({ by: id, down: active ? !sort.down : true })}
              >
                <span className="jk-Ellipsis" dir="auto">
                  {title}
                </span>
                <span aria-hidden="true">{active ? (sort.down ? '↓' : '↑') : ''}</span>
              </button>
            </th>
          );
        })}
        <th scope="col">
          <span className="jk-visuallyHidden">{trans.__('Actions')}</span>
        </th>
      </tr>
    </thead>
  );
}

function Row(
  props: {
    item: IVersion;
    model: IModel;
    columns: readonly IColumn[];
    selected: string | null;
    selection: ISelection;
  } & IActs
): JSX.Element {
  const { item, selection } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { version } = item;
  const chosen = selection.selected.has(version);
  const current = version === props.selected;
  const menu = (event: React.MouseEvent) =>
    openMenu(
      event,
      versionEntries(kubeflow, item, doing => props.onDo(version, doing))
    );
  const classes = [
    current && 'jk-mod-current',
    chosen && 'jk-mod-selected',
    isArchived(item) && 'jk-mod-archived'
  ];
  return (
    <tr
      className={classes.filter(Boolean).join(' ')}
      data-version={version}
      onClick={() => props.onSelect(version)}
      onContextMenu={menu}
    >
      <td>
        <input
          type="checkbox"
          checked={chosen}
          aria-label={trans.__('Select version %1', version)}
          onClick={event => event.stopPropagation()}
          onChange={event => selection.select(version, (event.nativeEvent as MouseEvent).shiftKey)}
        />
      </td>
      {props.columns.map(column => (
        <td
          key={column.id}
          data-column={column.id}
          className={column.number ? 'jk-Number' : undefined}
        >
          {column.id === 'version' ? (
            <VersionCell item={item} current={current} />
          ) : (
            <Cell item={item} column={column.id} />
          )}
        </td>
      ))}
      <td>
        <button
          type="button"
          className="jk-Button jk-mod-icon"
          aria-haspopup="menu"
          aria-label={trans.__('More actions for version %1', version)}
          onClick={menu}
        >
          ⋯
        </button>
      </td>
    </tr>
  );
}

function VersionCell(props: { item: IVersion; current: boolean }): JSX.Element {
  const { item, current } = props;
  return (
    <span className="jk-Versions-name">
      <button
        type="button"
        data-row=""
        className="jk-Link"
        aria-current={current || undefined}
        title={item.description || item.version}
      >
        <span className="jk-Ellipsis" dir="auto">
          {item.version}
        </span>
      </button>
      {sortedAliases(item.aliases).map(alias => (
        <span key={alias} className="jk-Alias" dir="auto" title={alias}>
          {alias}
        </span>
      ))}
    </span>
  );
}

function Cell(props: { item: IVersion; column: string }): JSX.Element {
  const { item, column } = props;
  const { trans } = useKubeflow();
  if (column.startsWith('metric:')) {
    const value = item.metrics?.[column.slice('metric:'.length)];
    return <span title={value === undefined ? undefined : String(value)}>{number(value)}</span>;
  }
  switch (column) {
    case 'state':
      return <Stage item={item} />;
    case 'format':
      return (
        <span className="jk-Format" title={`${item.format ?? ''} ${item.formatVersion ?? ''}`}>
          <span className="jk-Ellipsis">{item.format || trans.__('unknown')}</span>
          <Danger danger={item.danger} trusted={item.trusted} compact />
        </span>
      );
    case 'bytes':
      return <>{bytes(item.bytes)}</>;
    case 'from':
      return <Origin version={item} />;
    default:
      return <RelativeTime time={item.created} />;
  }
}

/** Archived, or what serves it, or live. */
export function Stage(props: { item: IVersion }): JSX.Element {
  const { item } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  if (isArchived(item)) {
    return <span className="jk-Stage jk-mod-archived">{trans.__('Archived')}</span>;
  }
  const [first, ...others] = item.endpoints ?? [];
  if (!first) {
    return <span className="jk-Stage">{trans.__('Live')}</span>;
  }
  const share = first.percent === null || first.percent === undefined ? '' : ` ${first.percent} %`;
  return (
    <span className="jk-Stage jk-mod-serving">
      <span className="jk-Dot jk-tone-good" />
      <button
        type="button"
        className="jk-Link jk-Ellipsis"
        title={trans.__('Served by %1', `${first.name}${share}`)}
        onClick={event => {
          event.stopPropagation();
          void kubeflow.open('InferenceService', first.name);
        }}
      >
        {first.name}
        {share}
      </button>
      {others.length > 0 && <span className="jk-Muted">+{others.length}</span>}
    </span>
  );
}
