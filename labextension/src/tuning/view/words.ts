import type { TranslationBundle } from '@jupyterlab/translation';

import { number } from '../../format';
import type { RunState } from '../../model/types';
import type { WhyNot } from '../model/code';
import { literal } from '../model/python';
import type { TrialState } from '../model/trials';
import type { IExperiment, IObjective, Scalar } from '../model/types';

export function trialWord(state: TrialState, trans: TranslationBundle): string {
  switch (state) {
    case 'waiting':
      return trans.__('Waiting');
    case 'running':
      return trans.__('Running');
    case 'succeeded':
      return trans.__('Succeeded');
    case 'pruned':
      return trans.__('Pruned');
    case 'failed':
      return trans.__('Failed');
    case 'stopped':
      return trans.__('Stopped');
  }
}

/** Which icon a trial has; a pruned one is paused for good. */
export const TRIAL_ICONS: Record<TrialState, RunState> = {
  waiting: 'PENDING',
  running: 'RUNNING',
  succeeded: 'SUCCEEDED',
  pruned: 'SKIPPED',
  failed: 'FAILED',
  stopped: 'CANCELED'
};

export function whyNotText(why: WhyNot, trans: TranslationBundle): string {
  switch (why) {
    case 'unknown':
      return trans.__('Open or select an experiment first.');
    case 'finished':
      return trans.__('This experiment has finished.');
    case 'stopping':
      return trans.__('It is stopping already.');
    case 'unfinished':
      return trans.__('This experiment has not finished yet.');
  }
}

/** `lowest loss`, `highest accuracy, goal 0.95`. */
export function objectiveText(objective: IObjective, trans: TranslationBundle): string {
  const name = objective.objectiveMetricName;
  const text =
    objective.type === 'minimize' ? trans.__('lowest %1', name) : trans.__('highest %1', name);
  const { goal } = objective;
  return goal === undefined || goal === null
    ? text
    : trans.__('%1, goal %2', text, number(Number(goal)));
}

/** A parameter as people read it: numbers short, words as they are. */
export function parameterText(value: Scalar | undefined): string {
  if (value === undefined) {
    return '–';
  }
  return typeof value === 'number'
    ? number(value)
    : typeof value === 'string'
      ? value
      : literal(value);
}

/** `loss 0.0123 · 12 pruned · 37 of 100`, or why it waits. */
export function experimentNote(experiment: IExperiment, trans: TranslationBundle): string {
  const { status, spec } = experiment;
  const phase = status.phase ?? 'PENDING';
  const counts = [status.trialsSucceeded, status.trialsEarlyStopped, status.trialsFailed];
  const done = counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  if ((phase === 'PENDING' || phase === 'PAUSED' || phase === 'FAILED') && status.reason) {
    return status.reason;
  }
  const parts: string[] = [];
  if (status.best) {
    parts.push(`${spec.objective.objectiveMetricName} ${number(status.best.value)}`);
  }
  parts.push(
    spec.maxTrialCount && phase !== 'SUCCEEDED'
      ? trans.__('%1 of %2', done, spec.maxTrialCount)
      : trans._n('%1 trial', '%1 trials', done, done)
  );
  if (status.trialsEarlyStopped) {
    parts.push(trans.__('%1 pruned', status.trialsEarlyStopped));
  }
  if (status.trialsFailed) {
    parts.push(trans.__('%1 failed', status.trialsFailed));
  }
  return parts.join(' · ');
}
