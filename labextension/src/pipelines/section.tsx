import { refreshIcon, runIcon, stopIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { kubeflowIcon } from '../icons';
import type { IColumn, IKindView, ISection } from '../kinds';
import { runTitle } from '../model/actions';
import { RUNS } from '../model/filter';
import { knownState, tone } from '../model/states';
import type { IRun, IStepStatus, IWork } from '../model/types';
import { Schedules } from '../sidebar/schedules';
import type { IKubeflow } from '../tokens';
import { CommandIDs } from '../tokens';
import { durationColumn, metricColumns, startedColumn } from '../ui/columns';
import { useTrans } from '../ui/context';
import { triggerText } from './words';

const EXAMPLE = 'import jupyter_ext as kf\n\nrun = kf.pipelines.run("notebook.ipynb")';

function topSteps(run: IRun): IStepStatus[] {
  return (run.status.steps ?? []).filter(step => !step.parent);
}

function isDone(step: IStepStatus): boolean {
  return step.state === 'SUCCEEDED' || step.state === 'SKIPPED';
}

/** Which step a running run is at, or how its steps ended: one line. */
function runNote(run: IRun, trans: TranslationBundle): string {
  const steps = topSteps(run);
  const running = steps.filter(step => step.state === 'RUNNING');
  const phase = knownState(run.status.phase);
  if (phase === 'FAILED' || ((phase === 'PENDING' || phase === 'PAUSED') && run.status.reason)) {
    return run.status.reason || run.status.error?.message || '';
  }
  if (phase === 'RUNNING' && running.length) {
    const names = running.map(step => step.title || step.name).join(', ');
    return trans.__('%1 of %2 · %3', steps.filter(isDone).length, steps.length, names);
  }
  if (phase === 'RUNNING' && run.status.reason) {
    return run.status.reason;
  }
  const cached = steps.filter(step => step.cached).length;
  const count = trans._n('%1 step', '%1 steps', steps.length);
  return cached ? trans.__('%1, %2 from cache', count, cached) : count;
}

function runView(kubeflow: IKubeflow): IKindView<IRun> {
  const { trans } = kubeflow;
  return {
    kind: 'Run',
    icon: kubeflowIcon,
    ...RUNS,
    title: runTitle,
    note: run => runNote(run, trans),
    open: (name, place) => kubeflow.execute(CommandIDs.openRun, { ...place, name }),
    actions: [
      { command: CommandIDs.stopRun, label: trans.__('Stop'), icon: stopIcon, inRow: true },
      { command: CommandIDs.resumeRun, label: trans.__('Resume'), icon: runIcon, inRow: true },
      { command: CommandIDs.rerunRun, label: trans.__('Rerun'), icon: refreshIcon, inRow: true },
      { command: CommandIDs.reproduceRun, label: trans.__('Reproduce') },
      { command: CommandIDs.exportRun, label: trans.__('Export') },
      { command: CommandIDs.copyName, label: trans.__('Copy name'), bulk: true },
      { command: CommandIDs.copyCode, label: trans.__('Copy as code'), bulk: true },
      { command: CommandIDs.deleteRun, label: trans.__('Delete…'), bulk: true }
    ]
  };
}

/** Notebooks that ran as pipelines, and what starts them by the clock. */
export function pipelinesSection(kubeflow: IKubeflow): ISection {
  const { trans } = kubeflow;
  return {
    id: 'pipelines',
    rank: 10,
    title: trans.__('Pipelines'),
    open: true,
    words: {
      items: trans.__('Runs'),
      filter: trans.__('Filter runs'),
      hint: trans.__('Filter: failed, a name, lr=0.1'),
      selected: trans.__('Selected runs'),
      noMatch: trans.__('No run matches “%1”.')
    },
    kinds: [runView(kubeflow)],
    create: {
      label: trans.__('Run this notebook as a pipeline'),
      first: trans.__('Run this notebook'),
      command: CommandIDs.runCurrent
    },
    empty: {
      sentence: trans.__(
        'No runs yet. Any notebook runs as a pipeline: each heading starts a step, and steps that do not need each other run side by side.'
      ),
      code: EXAMPLE
    },
    columns: items => runColumns(items, kubeflow),
    compare: names => void kubeflow.openCompare(names),
    below: Schedules
  };
}

function runColumns(runs: readonly IWork[], kubeflow: IKubeflow): IColumn[] {
  const { trans } = kubeflow;
  return [
    {
      id: 'steps',
      title: trans.__('Steps'),
      width: 'minmax(96px, 1fr)',
      cell: run => <StepStrip run={run as IRun} />
    },
    durationColumn(trans),
    startedColumn(trans),
    {
      id: 'trigger',
      title: trans.__('Trigger'),
      width: 'minmax(76px, 1fr)',
      cell: run => (
        <span className="jk-Ellipsis" dir="auto">
          {triggerText(run as IRun, kubeflow)}
        </span>
      )
    },
    ...metricColumns(runs)
  ];
}

/** One thin bar per step in the colour of its state; words for screen readers. */
export function StepStrip(props: { run: IRun }): JSX.Element {
  const trans = useTrans();
  const steps = topSteps(props.run);
  const done = steps.filter(isDone).length;
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
