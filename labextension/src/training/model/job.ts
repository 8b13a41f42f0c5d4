import { duration, number, percent } from '../../format';
import { isFinished, knownState } from '../../model/states';
import type { Json } from '../../model/types';
import type { IRank, ITrainJob } from './types';

const PREFIX = 'jupyter-kubeflow.org/';

export function annotation(job: ITrainJob, name: string): string | undefined {
  return job.metadata.annotations?.[PREFIX + name];
}

/** `torch`, `tensorflow`, …; of a legacy kind what its name says. */
export function framework(job: ITrainJob): string {
  const legacy: Record<string, string> = {
    PyTorchJob: 'torch',
    TFJob: 'tensorflow',
    XGBoostJob: 'xgboost'
  };
  const runtime = job.spec.runtimeRef?.name ?? '';
  return annotation(job, 'framework') ?? legacy[job.kind] ?? runtime.replace(/-distributed$/, '');
}

/** Nodes as asked for: `2`, or `1:4` where they may change. */
export function nodes(job: ITrainJob): string {
  return annotation(job, 'nodes') ?? String(job.spec.trainer?.numNodes ?? 1);
}

export function procs(job: ITrainJob): number {
  return Number(job.spec.trainer?.numProcPerNode) || 1;
}

/** `torch, 2 nodes × 4`; short enough for a row. */
export function shape(job: ITrainJob): string {
  const [count, each] = [nodes(job), procs(job)];
  const size = each > 1 ? `${count} × ${each}` : count;
  return size === '1' ? framework(job) : `${framework(job)} × ${size}`;
}

/** The last value of each metric that was reported. */
export function metricsOf(job: ITrainJob): Record<string, number> {
  const { metrics, trainerStatus } = job.status;
  if (metrics && Object.keys(metrics).length) {
    return metrics;
  }
  const pairs = (trainerStatus?.metrics ?? []).map(({ name, value }): [string, number] => [
    name,
    Number(value)
  ]);
  return Object.fromEntries(pairs.filter(([, value]) => Number.isFinite(value)));
}

export function progressOf(job: ITrainJob): number | null {
  const said = job.status.trainerStatus?.progressPercentage;
  return job.status.progress ?? (typeof said === 'number' ? said / 100 : null);
}

/** Seconds that are left, as far as the job says so. */
export function remaining(job: ITrainJob): number | null {
  const left = job.status.trainerStatus?.estimatedRemainingSeconds;
  return typeof left === 'number' && !isFinished(job.status.phase) ? left : null;
}

/** Names of metrics as they are shown: losses first, then by the alphabet. */
export function byName(a: string, b: string): number {
  const loss = (name: string) => (/(^|[/_ -])loss$/i.test(name) ? 0 : 1);
  return loss(a) - loss(b) || (a < b ? -1 : 1);
}

/** One line for a row: why it waits or failed, else how far it is and what it last reported. */
export function note(job: ITrainJob, left: (duration: string) => string): string {
  const phase = knownState(job.status.phase);
  if (phase !== 'RUNNING' && phase !== 'SUCCEEDED' && job.status.reason) {
    return job.status.reason;
  }
  const metrics = Object.entries(metricsOf(job))
    .sort(([a], [b]) => byName(a, b))
    .slice(0, 2);
  const parts = metrics.map(([name, value]) => `${name} ${number(value)}`);
  if (phase === 'RUNNING') {
    const share = progressOf(job);
    const seconds = remaining(job);
    const head = share === null ? [] : [percent(share)];
    const tail = seconds === null ? [] : [left(duration(seconds))];
    const all = [...head, ...parts, ...tail];
    return all.length ? all.join(' · ') : job.status.reason || shape(job);
  }
  return [shape(job), ...parts].join(' · ');
}

/** Ranks as the job tells of them; those it has not told of yet are waiting. */
export function ranksOf(job: ITrainJob): IRank[] {
  const told = job.status.ranks ?? [];
  const [first] = nodes(job).split(':');
  const count = isFinished(job.status.phase) ? 0 : (Number(first) || 1) * procs(job);
  const known = new Set(told.map(rank => rank.rank));
  const missing = Array.from({ length: count }, (_, rank) => rank)
    .filter(rank => !known.has(rank))
    .map((rank): IRank => ({ rank, node: Math.floor(rank / procs(job)), state: 'PENDING' }));
  return [...told, ...missing].sort((a, b) => a.rank - b.rank);
}

const RANK_STATES: Record<string, string> = {
  started: 'PENDING',
  joined: 'PENDING',
  waiting: 'PENDING',
  running: 'RUNNING',
  done: 'SUCCEEDED',
  succeeded: 'SUCCEEDED',
  failed: 'FAILED',
  stopped: 'CANCELED'
};

/** A rank's state in the words of all states. */
export function rankState(rank: IRank): string {
  return RANK_STATES[rank.state.toLowerCase()] ?? rank.state;
}

export function partOf(rank: IRank): string {
  return rank.part ?? `rank-${rank.rank}`;
}

/** The arguments that the function is called with. */
export function argumentsOf(job: ITrainJob): Record<string, Json> {
  try {
    return JSON.parse(annotation(job, 'args') ?? '{}') as Record<string, Json>;
  } catch {
    return {};
  }
}

export type JobAction = 'stop' | 'suspend' | 'resume' | 'delete';

export type JobWhyNot = 'finished' | 'stopping' | 'paused' | 'running' | 'succeeded' | 'unfinished';

/** Why an action cannot be done to a job now, or null if it can. */
export function jobWhyNot(action: JobAction, job: ITrainJob): JobWhyNot | null {
  const phase = knownState(job.status.phase);
  switch (action) {
    case 'stop':
      return isFinished(phase) ? 'finished' : phase === 'CANCELING' ? 'stopping' : null;
    case 'suspend':
      return isFinished(phase)
        ? 'finished'
        : phase === 'CANCELING'
          ? 'stopping'
          : phase === 'PAUSED'
            ? 'paused'
            : null;
    case 'resume':
      return phase === 'SUCCEEDED'
        ? 'succeeded'
        : phase === 'PAUSED' || isFinished(phase)
          ? null
          : phase === 'CANCELING'
            ? 'stopping'
            : 'running';
    case 'delete':
      return isFinished(phase) || phase === 'PAUSED' ? null : 'unfinished';
    default:
      return null;
  }
}
