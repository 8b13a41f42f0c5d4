import { percent } from '../../format';
import { isFinished, knownState } from '../../model/states';
import type { IText } from '../../model/text';
import type { IWork, Json, RunState } from '../../model/types';
import { leased, sparkBytes } from './memory';
import type { IExecutor, IScheduled, ISpark } from './types';

export const SESSION = 'SparkConnect';
export const APPLICATION = 'SparkApplication';
export const SCHEDULED = 'ScheduledSparkApplication';

const PREFIX = 'jupyter-kubeflow.org/';
const GIB = 2 ** 30;
/** Of an application that a schedule made. */
const MADE_BY = 'sparkoperator.k8s.io/scheduled-app-name';

export function annotation(app: IWork, name: string): string | undefined {
  return app.metadata.annotations?.[PREFIX + name];
}

export function isSession(app: IWork): boolean {
  return app.kind === SESSION;
}

export function scheduleOf(app: IWork): string | undefined {
  return app.metadata.labels?.[MADE_BY];
}

/** What it asked for, after the defaults of the published API. */
export function askedOf(app: ISpark): Parameters<typeof leased>[0] {
  const { executor, driver, server } = app.spec;
  const main = server ?? driver;
  return {
    executors: executor?.instances ?? 1,
    cores: executor?.cores ?? 1,
    memory: sparkBytes(executor?.memory ?? '1g') ?? GIB,
    driverMemory: sparkBytes(main?.memory ?? '1g') ?? GIB,
    driverCores: main?.cores ?? 1
  };
}

/** `2 × 1 core · 1g`: short enough for a row. */
export function shape(app: ISpark, trans: IText): string {
  const { executors, cores } = askedOf(app);
  const each = trans._n('%1 core', '%1 cores', cores);
  const size = executors > 1 ? `${executors} × ${each}` : each;
  return `${size} · ${app.spec.executor?.memory ?? '1g'}`;
}

/** What runs: the cell or function by its name, or the file. */
export function program(app: ISpark): string {
  const entry = annotation(app, 'entry');
  const file = app.spec.mainApplicationFile ?? '';
  return entry || app.spec.mainClass || (file.split('/').pop() ?? '');
}

/** The arguments that a function or a cell is given by name. */
export function argumentsOf(app: ISpark): Record<string, Json> {
  try {
    return JSON.parse(annotation(app, 'args') ?? '{}') as Record<string, Json>;
  } catch {
    return {};
  }
}

/** A session that waits for work: neither a clock nor a bar follows it. */
export function isIdle(app: ISpark): boolean {
  const { phase, progress } = app.status;
  return isSession(app) && phase === 'RUNNING' && (typeof progress !== 'number' || progress >= 1);
}

/** One line for a row: why it waits or failed, else how far it is and how large. */
export function note(app: ISpark, trans: IText): string {
  const { phase, reason, progress, result } = app.status;
  const state = knownState(phase);
  if (state !== 'RUNNING' && state !== 'SUCCEEDED' && reason) {
    return reason;
  }
  const size = shape(app, trans);
  if (state === 'RUNNING') {
    const head = isIdle(app) ? trans.__('ready') : progress ? percent(progress) : '';
    return [head, size].filter(Boolean).join(' · ');
  }
  const value = result?.text?.split('\n')[0];
  return [size, value].filter(Boolean).join(' · ');
}

/** Executors as the status tells of them, the driver first; without, those that were asked for. */
export function executorsOf(app: ISpark): IExecutor[] {
  const { executors, executorState = {} } = app.status;
  const found =
    executors ?? Object.entries(executorState).map(([id, state]): IExecutor => ({ id, state }));
  const rank = (id: string) => (id === 'driver' ? -1 : Number(id) || 0);
  return [...found].sort((a, b) => rank(a.id) - rank(b.id));
}

const STATES: Readonly<Record<string, RunState>> = {
  RUNNING: 'RUNNING',
  COMPLETED: 'SUCCEEDED',
  FAILED: 'FAILED',
  LOST: 'FAILED',
  REMOVED: 'CANCELED'
};

/** An executor's state in the words of all states; none works when its application is over. */
export function executorState(executor: IExecutor, app: ISpark): RunState {
  const state = STATES[executor.state.toUpperCase()] ?? 'PENDING';
  return state === 'RUNNING' && isFinished(app.status.phase) ? 'CANCELED' : state;
}

/** Whether it has a web interface of Spark's own now. */
export function hasUi(app: ISpark): boolean {
  return app.status.phase === 'RUNNING' && Boolean(app.status.sparkApplicationId);
}

export type SparkAction = 'stop' | 'delete' | 'ui' | 'suspend' | 'resume' | 'run';

/** Why an action cannot be done now, in a sentence, or null if it can. */
export function whyNot(action: SparkAction, item: IWork, trans: IText): string | null {
  const app = item as ISpark;
  const phase = knownState(app.status.phase);
  const over = isFinished(phase);
  switch (action) {
    case 'stop':
      return over
        ? trans.__('It has ended.')
        : phase === 'CANCELING'
          ? trans.__('It is stopping already.')
          : null;
    case 'delete':
      return over || item.kind === SCHEDULED
        ? null
        : trans.__('It is still running: stop it first.');
    case 'ui':
      return hasUi(app)
        ? null
        : over
          ? trans.__('Spark’s own pages went with its driver; the log and the stages are here.')
          : trans.__('Spark’s own pages are there as soon as its driver runs.');
    case 'suspend':
      return phase === 'PAUSED' ? trans.__('It is paused already.') : null;
    case 'resume':
      return phase === 'PAUSED' ? null : trans.__('It is not paused.');
    default:
      return null;
  }
}

/** The Python that gets hold of it. */
export function getCode(name: string, kind: string): string {
  const call: Record<string, string> = {
    [SESSION]: `spark = kf.spark.session(${JSON.stringify(name)})`,
    [SCHEDULED]: `job = kf.spark.schedule_of(${JSON.stringify(name)})`
  };
  const line = call[kind] ?? `app = kf.spark.get(${JSON.stringify(name)})\napp`;
  return `import jupyter_ext as kf\n\n${line}`;
}

/** The cell that teaches the first step; of a session by its name where it is not the usual one. */
export function sessionCell(name = 'spark'): string {
  const given = name === 'spark' ? '' : JSON.stringify(name);
  return `import jupyter_ext as kf\n\nspark = kf.spark.session(${given})\nspark.range(10).show()`;
}

/** When a schedule is due next; nothing while it is paused. */
export function nextRun(schedule: IScheduled): string | null {
  return schedule.status.phase === 'PAUSED' ? null : (schedule.status.nextRun ?? null);
}
