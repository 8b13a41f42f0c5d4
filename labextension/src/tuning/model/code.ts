/** The Python that gets hold of an experiment or a trial, or does what a button does. */
import type { IExperiment } from './types';
import { isFinished } from '../../model/states';

export type ExperimentAction = 'stop' | 'resume' | 'delete';

export function experimentCode(name: string): string {
  return `import jupyter_ext as kf\n\nexperiment = kf.tuning.get(${JSON.stringify(name)})\nexperiment`;
}

export function bestCode(name: string): string {
  return `import jupyter_ext as kf\n\nbest = kf.tuning.get(${JSON.stringify(name)}).best\nbest.parameters`;
}

/** Why an action cannot be done to an experiment now, or null if it can. */
export type WhyNot = 'unknown' | 'finished' | 'stopping' | 'unfinished';

export function whyNot(
  action: ExperimentAction,
  experiment: IExperiment | null | undefined
): WhyNot | null {
  if (!experiment) {
    return 'unknown';
  }
  const phase = experiment.status.phase ?? 'PENDING';
  switch (action) {
    case 'stop':
      return isFinished(phase) ? 'finished' : phase === 'CANCELING' ? 'stopping' : null;
    case 'resume':
      return isFinished(phase) || phase === 'PAUSED' ? null : 'unfinished';
    case 'delete':
      return isFinished(phase) ? null : 'unfinished';
  }
}

export function experimentTitle(experiment: IExperiment): string {
  return experiment.spec.displayName || experiment.metadata.name;
}

/** How many trials ended, and how many there are to be. */
export function trialCounts(experiment: IExperiment): {
  done: number;
  total: number | null;
  pruned: number;
  failed: number;
} {
  const { status, spec } = experiment;
  const pruned = status.trialsEarlyStopped ?? 0;
  const failed =
    (status.trialsFailed ?? 0) + (status.trialsKilled ?? 0) + (status.trialMetricsUnavailable ?? 0);
  const done = (status.trialsSucceeded ?? 0) + pruned + failed;
  return { done, total: spec.maxTrialCount ?? null, pruned, failed };
}
