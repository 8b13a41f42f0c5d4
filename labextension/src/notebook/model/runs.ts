/** What the last run of this notebook says about its steps and cells. */
import { isActive } from '../../model/states';
import type { IPipeline, IRun, IStepError, IStepStatus, RunState } from '../../model/types';

/** A step in the last run. */
export interface IStepRun {
  readonly state: RunState;
  readonly seconds: number | null;
  readonly startedAt: string | null;
  readonly cached: boolean;
  /** Why it waits, or why it was taken from the cache or not. */
  readonly reason: string;
  /** Done and wanted repetitions of a step with `for`, else null. */
  readonly rounds: { readonly done: number; readonly all: number } | null;
}

/** Where a run failed. */
export interface IFailure {
  readonly run: string;
  readonly step: string;
  readonly error: IStepError;
}

/** The newest of the runs whose notebook lies at that path; runs come newest first. */
export function latestRun(runs: readonly IRun[], path: string): IRun | null {
  return runs.find(run => samePath(run.spec.pipeline?.path, path)) ?? null;
}

/** Paths may be absolute on the server's side and relative to its root here. */
export function samePath(stored: string | undefined, path: string): boolean {
  if (!stored || !path) {
    return false;
  }
  const [left, right] = [stored, path].map(text => text.replace(/\\/g, '/').replace(/^\.?\//, ''));
  return left === right || (stored.startsWith('/') && stored.endsWith(`/${right}`));
}

/** From step name to its state in the run. */
export function stepRuns(run: IRun | null): Map<string, IStepRun> {
  const found = new Map<string, IStepRun>();
  const rounds = new Map<string, IStepStatus[]>();
  for (const step of run?.status.steps ?? []) {
    if (step.parent) {
      rounds.set(step.parent, [...(rounds.get(step.parent) ?? []), step]);
    } else {
      found.set(step.name, stepRun(step));
    }
  }
  for (const [name, list] of rounds) {
    const own = found.get(name);
    if (own) {
      const done = list.filter(step => !isActive(step.state)).length;
      found.set(name, { ...own, rounds: { done, all: list.length } });
    }
  }
  return found;
}

function stepRun(step: IStepStatus): IStepRun {
  return {
    state: step.state,
    seconds: step.seconds ?? null,
    startedAt: step.startedAt ?? null,
    cached: step.cached ?? false,
    reason: step.reason || step.cache?.text || '',
    rounds: null
  };
}

/** The failure of a run, with the step it belongs to, or null. */
export function failure(run: IRun | null): IFailure | null {
  if (run?.status.phase !== 'FAILED') {
    return null;
  }
  const step = run.status.steps?.find(item => item.state === 'FAILED' && item.error);
  const error = step?.error ?? run.status.error;
  const name = step?.parent ?? step?.name ?? run.status.error?.step;
  return error && name ? { run: run.metadata.name, step: name, error } : null;
}

/** The id of the cell at which to show a failure: its own, else the first of its step. */
export function failureCell(
  found: IFailure,
  pipeline: IPipeline | null,
  ids: readonly string[]
): string | null {
  if (found.error.cellId && ids.includes(found.error.cellId)) {
    return found.error.cellId;
  }
  const step = pipeline?.steps.find(item => item.name === found.step);
  return step?.cells.find(cell => ids.includes(cell.id))?.id ?? null;
}

/** The last lines of a traceback, which are the ones about the user's code. */
export function shortError(error: IStepError): string {
  const message = error.message.trim();
  return error.type && !message.startsWith(error.type) ? `${error.type}: ${message}` : message;
}
