import { closeIcon, ellipsesIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IAction, IKindView } from '../kinds';
import { isSettled, stateOf } from '../kinds';
import { splitKey } from '../model/merge';
import { isActive, knownState, tone } from '../model/states';
import type { IWork } from '../model/types';
import type { IKubeflow } from '../tokens';
import { useKubeflow } from '../ui/context';
import { Button, Progress } from '../ui/controls';
import type { IEntry } from '../ui/menu';
import { openMenu } from '../ui/menu';
import { useItem } from '../ui/resources';
import { StateBadge } from '../ui/state';
import { Elapsed, RelativeTime } from '../ui/time';

/** The action that a row shows itself: the first that can be used now. */
function rowAction(kubeflow: IKubeflow, view: IKindView, name: string): IAction | undefined {
  const args = { name, kind: view.kind };
  return view.actions.find(action => action.inRow && !kubeflow.whyNot(action.command, args));
}

function useView(key: string): { view: IKindView | undefined; item: IWork | undefined } {
  const { kind, name } = splitKey(key);
  const { sections } = useKubeflow();
  return { view: sections.view(kind), item: useItem(kind, name) };
}

function Head(props: { item: IWork; view: IKindView }): JSX.Element {
  const { item, view } = props;
  const { phase, reason } = item.status;
  const made = item.metadata.creationTimestamp;
  const ended = view.time?.(item) ?? item.status.completionTime;
  return (
    <>
      {view.mark?.(item) ?? <StateBadge state={phase} reason={reason} compact />}
      <span className="jk-RowMain-title" dir="auto">
        {view.title(item)}
      </span>
      <span className="jk-RowMain-time">
        {isActive(phase) && !isSettled(view, item) ? (
          <Elapsed start={item.status.startTime ?? made} />
        ) : (
          <RelativeTime time={ended ?? item.status.startTime ?? made} />
        )}
      </span>
      <span className="jk-RowMain-note" dir="auto">
        {view.note(item)}
      </span>
      {view.extra && <span className="jk-RowMain-extra">{view.extra(item)}</span>}
    </>
  );
}

function ProgressBar(props: { item: IWork; title: string }): JSX.Element {
  const { trans } = useKubeflow();
  const phase = knownState(props.item.status.phase);
  return (
    <Progress
      value={phase === 'RUNNING' ? (props.item.status.progress ?? null) : 0}
      label={trans.__('Progress of %1', props.title)}
      tone={tone(phase)}
    />
  );
}

interface INowRowProps {
  id: string;
  onDismiss: (key: string) => void;
  entries: (keys: readonly string[]) => readonly IEntry[];
}

export const NowRow = React.memo(function NowRow(props: INowRowProps): JSX.Element | null {
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { view, item } = useView(props.id);
  if (!item || !view) {
    return null;
  }
  const { kind, name } = splitKey(props.id);
  const phase = knownState(item.status.phase);
  const failed = phase === 'FAILED';
  const title = view.title(item);
  const action = failed ? undefined : rowAction(kubeflow, view, name);
  return (
    <li className="jk-NowRow" data-run={name} data-kind={kind} data-state={phase}>
      <button
        type="button"
        data-row=""
        className="jk-RowMain"
        title={item.status.reason || title}
        onClick={() => void kubeflow.open(kind, name)}
        onContextMenu={event => openMenu(event, props.entries([props.id]))}
      >
        <Head item={item} view={view} />
      </button>
      <span className="jk-RowActions">
        {failed ? (
          <Button
            label={trans.__('Dismiss %1', title)}
            icon={closeIcon}
            iconOnly
            onClick={() => props.onDismiss(props.id)}
          />
        ) : (
          action && (
            <Button
              label={`${action.label} ${title}`}
              icon={action.icon}
              iconOnly
              onClick={() => kubeflow.execute(action.command, { name, kind })}
            />
          )
        )}
      </span>
      {!failed && <ProgressBar item={item} title={title} />}
    </li>
  );
});

interface IRowProps {
  id: string;
  selected?: boolean;
  selecting?: boolean;
  /** Without it nothing can be selected. */
  onSelect?: (key: string, range: boolean) => void;
  selection?: () => readonly string[];
  entries: (keys: readonly string[]) => readonly IEntry[];
}

export const Row = React.memo(function Row(props: IRowProps): JSX.Element | null {
  const { id, selected, onSelect } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { view, item } = useView(id);
  if (!item || !view) {
    return null;
  }
  const { kind, name } = splitKey(id);
  const phase = stateOf(view, item);
  const title = view.title(item);
  const keys = () => (selected && props.selection?.()) || [id];
  return (
    <li
      className={selected ? 'jk-RunRow jk-mod-selected' : 'jk-RunRow'}
      data-run={name}
      data-kind={kind}
      data-state={phase}
      onContextMenu={event => openMenu(event, props.entries(keys()))}
    >
      {onSelect && (
        <label className={props.selecting ? 'jk-RowCheck jk-mod-shown' : 'jk-RowCheck'}>
          <input
            type="checkbox"
            checked={selected ?? false}
            aria-label={trans.__('Select %1', name)}
            onChange={event => onSelect(id, (event.nativeEvent as MouseEvent).shiftKey)}
          />
        </label>
      )}
      <button
        type="button"
        data-row=""
        className="jk-RowMain"
        title={`${title}\n${name}`}
        onClick={event => {
          if (onSelect && (event.ctrlKey || event.metaKey || event.shiftKey)) {
            onSelect(id, event.shiftKey);
          } else {
            void kubeflow.open(kind, name);
          }
        }}
      >
        <Head item={item} view={view} />
      </button>
      <RowActions
        view={view}
        name={name}
        title={title}
        onMenu={event => openMenu(event, props.entries(keys()))}
      />
      {phase === 'RUNNING' &&
        !isSettled(view, item) &&
        typeof item.status.progress === 'number' && <ProgressBar item={item} title={title} />}
    </li>
  );
});

function RowActions(props: {
  view: IKindView;
  name: string;
  title: string;
  onMenu: (event: React.MouseEvent) => void;
}): JSX.Element {
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { view, name, title } = props;
  const action = rowAction(kubeflow, view, name);
  return (
    <span className="jk-RowActions">
      {action && (
        <Button
          label={`${action.label} ${title}`}
          icon={action.icon}
          iconOnly
          onClick={() => kubeflow.execute(action.command, { name, kind: view.kind })}
        />
      )}
      <button
        type="button"
        className="jk-Button jk-mod-icon"
        aria-haspopup="menu"
        aria-label={trans.__('More actions for %1', title)}
        title={trans.__('More actions')}
        onClick={props.onMenu}
      >
        <ellipsesIcon.react tag="span" className="jk-Button-icon" />
      </button>
    </span>
  );
}
