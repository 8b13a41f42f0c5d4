import { closeIcon, ellipsesIcon, refreshIcon, runIcon, stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { runTitle } from '../model/actions';
import { isActive, knownState, tone } from '../model/states';
import type { IRun, IStepStatus } from '../model/types';
import { openRunMenu } from '../pipelines/menu';
import { CommandIDs } from '../tokens';
import { useKubeflow } from '../ui/context';
import { Button, Progress } from '../ui/controls';
import { useRun } from '../ui/runs';
import { StateBadge } from '../ui/state';
import { Elapsed, RelativeTime } from '../ui/time';

function topSteps(run: IRun): IStepStatus[] {
  return (run.status.steps ?? []).filter(step => !step.parent);
}

/** Which step a running run is at, or how its steps ended: one line. */
export function RunNote(props: { run: IRun }): JSX.Element {
  const { run } = props;
  const { trans } = useKubeflow();
  const steps = topSteps(run);
  const done = steps.filter(step => step.state === 'SUCCEEDED' || step.state === 'SKIPPED').length;
  const running = steps.filter(step => step.state === 'RUNNING');
  const phase = knownState(run.status.phase);
  if (phase === 'FAILED' || ((phase === 'PENDING' || phase === 'PAUSED') && run.status.reason)) {
    return <>{run.status.reason || run.status.error?.message}</>;
  }
  if (phase === 'RUNNING' && running.length) {
    const names = running.map(step => step.title || step.name).join(', ');
    return <>{trans.__('%1 of %2 · %3', done, steps.length, names)}</>;
  }
  if (phase === 'RUNNING' && run.status.reason) {
    return <>{run.status.reason}</>;
  }
  const cached = steps.filter(step => step.cached).length;
  const count = trans._n('%1 step', '%1 steps', steps.length);
  return <>{cached ? trans.__('%1, %2 from cache', count, cached) : count}</>;
}

export const NowRow = React.memo(function NowRow(props: {
  name: string;
  onDismiss: (name: string) => void;
}): JSX.Element | null {
  const run = useRun(props.name);
  const { trans, openRun, execute } = useKubeflowActions();
  if (!run) {
    return null;
  }
  const phase = knownState(run.status.phase);
  const failed = phase === 'FAILED';
  const title = runTitle(run);
  return (
    <li className="jk-NowRow" data-run={props.name} data-state={phase}>
      <button
        type="button"
        data-row=""
        className="jk-RowMain"
        title={run.status.reason || title}
        onClick={() => openRun(props.name, failed ? run.status.error?.step : undefined)}
        onContextMenu={event => openRunMenu(event, execute, trans, [props.name])}
      >
        <StateBadge state={phase} reason={run.status.reason} compact />
        <span className="jk-RowMain-title" dir="auto">
          {title}
        </span>
        <span className="jk-RowMain-time">
          {failed ? (
            <RelativeTime time={run.status.completionTime} />
          ) : (
            <Elapsed start={run.status.startTime ?? run.metadata.creationTimestamp} />
          )}
        </span>
        <span className="jk-RowMain-note" dir="auto">
          <RunNote run={run} />
        </span>
      </button>
      <span className="jk-RowActions">
        {failed ? (
          <Button
            label={trans.__('Dismiss %1', title)}
            icon={closeIcon}
            iconOnly
            onClick={() => props.onDismiss(props.name)}
          />
        ) : (
          <Button
            label={trans.__('Stop %1', title)}
            icon={stopIcon}
            iconOnly
            disabled={phase === 'CANCELING' ? trans.__('It is stopping already.') : null}
            onClick={() => execute(CommandIDs.stopRun, { name: props.name })}
          />
        )}
      </span>
      {!failed && (
        <Progress
          value={phase === 'RUNNING' ? (run.status.progress ?? null) : 0}
          label={trans.__('Progress of %1', title)}
          tone={tone(phase)}
        />
      )}
    </li>
  );
});

export const RunRow = React.memo(function RunRow(props: {
  name: string;
  selected: boolean;
  selecting: boolean;
  onSelect: (name: string, range: boolean) => void;
  selection: () => readonly string[];
}): JSX.Element | null {
  const { name, selected } = props;
  const run = useRun(name);
  const { trans, openRun, execute } = useKubeflowActions();
  if (!run) {
    return null;
  }
  const phase = knownState(run.status.phase);
  const title = runTitle(run);
  const names = () => (selected ? props.selection() : [name]);
  return (
    <li
      className={selected ? 'jk-RunRow jk-mod-selected' : 'jk-RunRow'}
      data-run={name}
      data-state={phase}
      onContextMenu={event => openRunMenu(event, execute, trans, names())}
    >
      <label className={props.selecting ? 'jk-RowCheck jk-mod-shown' : 'jk-RowCheck'}>
        <input
          type="checkbox"
          checked={selected}
          aria-label={trans.__('Select %1', name)}
          onChange={event => props.onSelect(name, (event.nativeEvent as MouseEvent).shiftKey)}
        />
      </label>
      <button
        type="button"
        data-row=""
        className="jk-RowMain"
        title={`${title}\n${name}`}
        onClick={event => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) {
            props.onSelect(name, event.shiftKey);
          } else {
            openRun(name);
          }
        }}
      >
        <StateBadge state={phase} reason={run.status.reason} compact />
        <span className="jk-RowMain-title" dir="auto">
          {title}
        </span>
        <span className="jk-RowMain-time">
          {isActive(phase) && run.status.startTime ? (
            <Elapsed start={run.status.startTime} />
          ) : (
            <RelativeTime time={run.status.completionTime ?? run.metadata.creationTimestamp} />
          )}
        </span>
        <span className="jk-RowMain-note">
          <RunNote run={run} />
        </span>
      </button>
      <RowActions run={run} execute={execute} names={names} />
    </li>
  );
});

function RowActions(props: {
  run: IRun;
  names: () => readonly string[];
  execute: (command: string, args: { name: string } | { names: string[] }) => Promise<unknown>;
}): JSX.Element {
  const { trans } = useKubeflow();
  const { run, execute } = props;
  const name = run.metadata.name;
  const phase = knownState(run.status.phase);
  const title = runTitle(run);
  return (
    <span className="jk-RowActions">
      {isActive(phase) ? (
        <Button
          label={trans.__('Stop %1', title)}
          icon={stopIcon}
          iconOnly
          onClick={() => execute(CommandIDs.stopRun, { name })}
        />
      ) : phase === 'FAILED' || phase === 'CANCELED' ? (
        <Button
          label={trans.__('Resume %1', title)}
          icon={runIcon}
          iconOnly
          onClick={() => execute(CommandIDs.resumeRun, { name })}
        />
      ) : (
        <Button
          label={trans.__('Rerun %1', title)}
          icon={refreshIcon}
          iconOnly
          onClick={() => execute(CommandIDs.rerunRun, { name })}
        />
      )}
      <button
        type="button"
        className="jk-Button jk-mod-icon"
        aria-haspopup="menu"
        aria-label={trans.__('More actions for %1', title)}
        title={trans.__('More actions')}
        onClick={event => openRunMenu(event, execute, trans, props.names())}
      >
        <ellipsesIcon.react tag="span" className="jk-Button-icon" />
      </button>
    </span>
  );
}

/** The actions of the context, bound, so that rows stay memoised. */
function useKubeflowActions() {
  const kubeflow = useKubeflow();
  return React.useMemo(
    () => ({
      trans: kubeflow.trans,
      openRun: (name: string, step?: string) => void kubeflow.openRun(name, step),
      execute: (command: string, args: { name: string } | { names: string[] }) =>
        kubeflow.execute(command, args)
    }),
    [kubeflow]
  );
}
