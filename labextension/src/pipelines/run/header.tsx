import { refreshIcon, runIcon, stopIcon } from '@jupyterlab/ui-components';
import { MenuSvg } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { compareIcon } from '../../icons';
import { relative } from '../../format';
import { isCompiled, runTitle } from '../../model/actions';
import { isActive, knownState } from '../../model/states';
import type { IEnvironment, IRun, Json } from '../../model/types';
import type { IKubeflow } from '../../tokens';
import { CommandIDs } from '../../tokens';
import { useKubeflow } from '../../ui/context';
import { Button, CopyButton, Progress } from '../../ui/controls';
import { Chips, HeaderActions, metricChips, ViewHeader } from '../../ui/header';
import { StateBadge, stateWord } from '../../ui/state';
import { Elapsed, RelativeTime } from '../../ui/time';
import { whyNot } from '../../model/actions';
import { triggerText, whyNotText } from '../words';

/** What ran, how it stands, from what it was made, and what can be done with it. */
export function Header(props: { run: IRun }): JSX.Element {
  const { run } = props;
  const { trans } = useKubeflow();
  const phase = knownState(run.status.phase);
  const active = isActive(phase);
  // While it runs the graph says it all, and a line that comes and goes would move everything.
  const waits = phase === 'PENDING' || phase === 'PAUSED' || phase === 'CANCELING';
  const title = runTitle(run);
  return (
    <ViewHeader
      mark={<StateBadge state={phase} reason={run.status.reason} />}
      title={title}
      id={
        <span className="jk-Header-id">
          <code>{run.metadata.name}</code>
          <CopyButton text={run.metadata.name} label={trans.__('Copy run name')} />
        </span>
      }
      actions={<Actions run={run} />}
      reason={waits && run.status.reason}
    >
      <FactLine run={run} />
      <Chips
        groups={[
          {
            label: trans.__('Parameters'),
            chips: Object.entries(run.spec.parameters ?? {}).map(([name, value]) => ({
              name,
              text: valueText(value)
            }))
          },
          metricChips(Object.entries(run.status.metrics ?? {}), trans)
        ]}
      />
      {active && (
        <Progress
          value={phase === 'RUNNING' ? (run.status.progress ?? null) : 0}
          label={trans.__('Progress of %1', title)}
        />
      )}
    </ViewHeader>
  );
}

function Actions(props: { run: IRun }): JSX.Element {
  const { run } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { name } = run.metadata;
  const can = (action: Parameters<typeof whyNot>[0]) => {
    const why = whyNot(action, run);
    return why && whyNotText(why, trans);
  };
  const call = (command: string) => kubeflow.execute(command, { name, show: true });
  return (
    <HeaderActions label={trans.__('Actions on this run')}>
      {isActive(run.status.phase) && (
        <Button
          label={trans.__('Stop')}
          icon={stopIcon}
          disabled={can('stop')}
          onClick={() => call(CommandIDs.stopRun)}
        />
      )}
      {run.status.phase === 'CANCELED' && (
        <Button
          label={trans.__('Resume')}
          icon={runIcon}
          kind="primary"
          disabled={can('resume')}
          onClick={() => call(CommandIDs.resumeRun)}
        />
      )}
      <Button
        label={trans.__('Rerun')}
        icon={refreshIcon}
        onClick={() => call(CommandIDs.rerunRun)}
      />
      <button
        type="button"
        className="jk-Button jk-mod-plain"
        aria-haspopup="menu"
        onClick={event => openCompareMenu(event, run, kubeflow)}
      >
        <compareIcon.react tag="span" className="jk-Button-icon" />
        <span>{trans.__('Compare with…')}</span>
      </button>
      <Button
        label={trans.__('Reproduce')}
        title={trans.__('Run again as recorded, and tell which outputs are identical')}
        disabled={can('reproduce')}
        onClick={() => call(CommandIDs.reproduceRun)}
      />
      <Button
        label={trans.__('Export')}
        title={
          isCompiled(run)
            ? trans.__('Save the pipeline that ran as YAML')
            : trans.__('Save the notebook as executed')
        }
        disabled={can('export')}
        onClick={() => call(CommandIDs.exportRun)}
      />
      <Button label={trans.__('Copy as code')} onClick={() => call(CommandIDs.copyCode)} />
    </HeaderActions>
  );
}

/** The latest other runs, those of the same pipeline first. */
function openCompareMenu(event: React.MouseEvent, run: IRun, kubeflow: IKubeflow): void {
  const { trans, resources } = kubeflow;
  const commands = new CommandRegistry();
  const menu = new MenuSvg({ commands });
  const others = resources.runs.items.filter(item => item.metadata.name !== run.metadata.name);
  const same = others.filter(item => item.spec.pipeline?.name === run.spec.pipeline?.name);
  const shown = (same.length ? same : others).slice(0, 12);
  const add = (id: string, label: string, call?: () => void) => {
    commands.addCommand(id, { label, isEnabled: () => Boolean(call), execute: () => call?.() });
    menu.addItem({ command: id });
  };
  if (!shown.length) {
    add('none', trans.__('There is no other run yet'));
  }
  shown.forEach(item => {
    const { name, creationTimestamp } = item.metadata;
    const word = stateWord(knownState(item.status.phase), trans);
    add(
      name,
      `${name} · ${word} · ${relative(creationTimestamp)}`,
      () => void kubeflow.openCompare([run.metadata.name, name])
    );
  });
  if (others.length) {
    menu.addItem({ type: 'separator' });
    add('more', trans.__('Choose from all runs'), () => void kubeflow.openRuns());
  }
  const box = event.currentTarget.getBoundingClientRect();
  menu.open(box.left, box.bottom);
  menu.aboutToClose.connect(() => window.setTimeout(() => menu.dispose(), 0));
}

function FactLine(props: { run: IRun }): JSX.Element {
  const { run } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const path = run.spec.pipeline?.path;
  const environment: IEnvironment = run.status.environment ?? run.spec.environment ?? {};
  const { git } = environment;
  const { resumes } = run.spec;
  return (
    <ul className="jk-FactLine" aria-label={trans.__('Facts of this run')}>
      <li>
        <RelativeTime time={run.status.startTime ?? run.metadata.creationTimestamp} />
      </li>
      <li>
        <Elapsed
          start={run.status.startTime}
          end={run.status.completionTime}
          seconds={run.status.seconds}
        />
      </li>
      <li dir="auto">
        {resumes ? (
          <button type="button" className="jk-Link" onClick={() => void kubeflow.openRun(resumes)}>
            {triggerText(run, kubeflow)}
          </button>
        ) : (
          triggerText(run, kubeflow)
        )}
      </li>
      {environment.user && <li dir="auto">{environment.user}</li>}
      {path && (
        <li>
          <button
            type="button"
            className="jk-Link"
            title={trans.__('Open %1', path)}
            dir="auto"
            onClick={() =>
              void (isCompiled(run)
                ? kubeflow.goToFile(path)
                : kubeflow.goToCell(path, { index: 1 }))
            }
          >
            {path}
          </button>
        </li>
      )}
      {git?.commit && (
        <li title={git.dirty ? trans.__('With changes that were not committed') : git.commit}>
          <code>{git.commit.slice(0, 8)}</code>
          {git.dirty ? ` ${trans.__('+ changes')}` : ''}
        </li>
      )}
      {environment.python && <li>{trans.__('Python %1', environment.python)}</li>}
    </ul>
  );
}

export function valueText(value: Json): string {
  if (typeof value === 'number') {
    return String(value);
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}
