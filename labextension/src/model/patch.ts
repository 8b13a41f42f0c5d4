import { isFinished, knownState } from './states';
import type { IResourceEvent, IRun, IStepStatus, IWork, RunState } from './types';

/** What an event says, written over what was known. Times are this browser's until the server's arrive. */
export function patchWork<T extends IWork>(item: T, event: IResourceEvent, now = new Date()): T {
  const stamp = now.toISOString();
  const phase = event.phase ? knownState(event.phase) : item.status.phase;
  const status = { ...item.status, phase, reason: event.reason ?? '' };
  if (typeof event.progress === 'number') {
    status.progress = event.progress;
  }
  if (phase === 'RUNNING' && !status.startTime) {
    status.startTime = stamp;
  }
  if (isFinished(phase)) {
    status.completionTime ??= stamp;
  } else {
    status.completionTime = null;
  }
  const resourceVersion = event.resourceVersion;
  return { ...item, status, metadata: { ...item.metadata, resourceVersion } };
}

/** The same for a run, whose events also tell of its steps. */
export function patchRun(run: IRun, event: IResourceEvent, now = new Date()): IRun {
  const next = patchWork(run, event, now);
  if (!event.steps) {
    return next;
  }
  const steps = patchSteps(next.status.steps ?? [], event.steps, now.toISOString());
  return { ...next, status: { ...next.status, steps } };
}

function patchSteps(
  steps: readonly IStepStatus[],
  states: Record<string, RunState>,
  stamp: string
): IStepStatus[] {
  const known = new Set(steps.map(step => step.name));
  const patched = steps.map(step => {
    const said = states[step.name];
    return said && knownState(said) !== step.state
      ? patchStep(step, knownState(said), stamp)
      : step;
  });
  for (const [name, state] of Object.entries(states)) {
    if (!known.has(name)) {
      const step: IStepStatus = { name, state: 'PENDING', parent: parentOf(name, known) };
      patched.push(patchStep(step, knownState(state), stamp));
    }
  }
  return patched;
}

function patchStep(step: IStepStatus, state: RunState, stamp: string): IStepStatus {
  const next = { ...step, state };
  if (state === 'RUNNING') {
    next.startedAt = stamp;
    next.finishedAt = null;
    next.seconds = null;
  } else if (isFinished(state) && next.startedAt && !next.finishedAt) {
    next.finishedAt = stamp;
    next.seconds = Math.max(0, (Date.parse(stamp) - Date.parse(next.startedAt)) / 1000);
  }
  return next;
}

/** `train[3]` belongs to `train`. */
function parentOf(name: string, known: ReadonlySet<string>): string | null {
  const head = /^(.+)\[\d+\]$/.exec(name)?.[1];
  return head && known.has(head) ? head : null;
}
