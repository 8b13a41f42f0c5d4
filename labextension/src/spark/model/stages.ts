/** Stages as a picture: how far the tasks of each are, and when each ran. */
import { millis } from '../../format';
import { isFinished } from '../../model/states';
import type { RunState } from '../../model/types';
import { askedOf } from './app';
import type { ISpark, IStage } from './types';

/** Shares of a stage's bar, from 0 to 1; what is left waits. */
export interface IShares {
  readonly done: number;
  readonly active: number;
  readonly failed: number;
}

const STATES: Readonly<Record<string, RunState>> = {
  ACTIVE: 'RUNNING',
  PENDING: 'PENDING',
  COMPLETE: 'SUCCEEDED',
  FAILED: 'FAILED',
  SKIPPED: 'SKIPPED'
};

export function stageState(stage: IStage): RunState {
  return STATES[stage.state] ?? 'PENDING';
}

/** Those that run, then the last that ended. */
export function stagesOf(app: ISpark): IStage[] {
  const running = (stage: IStage) => (stageState(stage) === 'RUNNING' ? 0 : 1);
  return [...(app.status.stages ?? [])].sort(
    (a, b) => running(a) - running(b) || b.id - a.id || (b.attempt ?? 0) - (a.attempt ?? 0)
  );
}

/** Tasks of the stage that run now: as told, else as many as its executors can. */
export function activeTasks(stage: IStage, app: ISpark): number {
  if (stageState(stage) !== 'RUNNING' || isFinished(app.status.phase)) {
    return 0;
  }
  const { executors, cores } = askedOf(app);
  return Math.max(0, Math.min(stage.active ?? executors * cores, stage.tasks - stage.done));
}

export function shares(stage: IStage, app: ISpark): IShares {
  if (!stage.tasks) {
    const over = stageState(stage) === 'SUCCEEDED';
    return { done: over ? 1 : 0, active: 0, failed: 0 };
  }
  const active = activeTasks(stage, app);
  const left = stage.tasks - stage.done - active;
  // A task that failed and was done at another try is done.
  const failed = Math.max(0, Math.min(stage.failed, left));
  return {
    done: stage.done / stage.tasks,
    active: active / stage.tasks,
    failed: failed / stage.tasks
  };
}

/** Seconds that a stage took, or has taken so far; null where it was not told. */
export function stageSeconds(stage: IStage, now: number): number | null {
  const from = millis(stage.submittedAt);
  const to = millis(stage.completedAt) ?? (stageState(stage) === 'RUNNING' ? now : null);
  return from === null || to === null ? null : Math.max(0, (to - from) / 1000);
}

/** A stage on the time axis, as shares of its width; overlapping ones are in lanes of their own. */
export interface ISpan {
  readonly stage: IStage;
  readonly lane: number;
  readonly left: number;
  readonly width: number;
}

/** Where nothing ran: drawn short, however long it was. */
export interface IGap {
  readonly left: number;
  readonly width: number;
  readonly seconds: number;
}

export interface IStrip {
  readonly spans: readonly ISpan[];
  readonly gaps: readonly IGap[];
  readonly lanes: number;
  /** Seconds of work that the whole width tells of, without the gaps. */
  readonly seconds: number;
}

/** A gap is as wide as it was long, but never wider than this share of the work. */
const WIDEST_GAP = 0.05;

interface IBusy {
  readonly stage: IStage;
  readonly from: number;
  readonly to: number;
}

/** When the stages ran, with what lay idle between them cut short; null where no times are known. */
export function strip(stages: readonly IStage[], now: number): IStrip | null {
  const busy = stages
    .flatMap((stage): IBusy[] => {
      const from = millis(stage.submittedAt);
      const running = stageState(stage) === 'RUNNING' ? now : from;
      return from === null
        ? []
        : [{ stage, from, to: Math.max(from + 1, millis(stage.completedAt) ?? running ?? from) }];
    })
    .sort((a, b) => a.from - b.from || a.stage.id - b.stage.id);
  if (!busy.length) {
    return null;
  }
  const axis = axisOf(busy);
  const ends: number[] = [];
  const spans = busy.map(({ stage, from, to }): ISpan => {
    const free = ends.findIndex(end => end <= from);
    const lane = free < 0 ? ends.length : free;
    ends[lane] = to;
    const left = axis.at(from);
    return { stage, lane, left, width: axis.at(to) - left };
  });
  return { spans, gaps: axis.gaps, lanes: ends.length, seconds: axis.seconds };
}

function axisOf(busy: readonly IBusy[]): {
  at: (time: number) => number;
  gaps: IGap[];
  seconds: number;
} {
  const pieces: { from: number; to: number }[] = [];
  for (const { from, to } of busy) {
    const last = pieces[pieces.length - 1];
    if (last && from <= last.to) {
      last.to = Math.max(last.to, to);
    } else {
      pieces.push({ from, to });
    }
  }
  const work = pieces.reduce((sum, piece) => sum + piece.to - piece.from, 0);
  const breaks = pieces.slice(1).map((piece, index) => piece.from - pieces[index].to);
  const drawn = breaks.map(each => Math.min(each, work * WIDEST_GAP));
  const whole = work + drawn.reduce((sum, each) => sum + each, 0);
  const starts: number[] = [];
  let at = 0;
  pieces.forEach((piece, index) => {
    starts.push(at);
    at += piece.to - piece.from + (drawn[index] ?? 0);
  });
  const gaps = drawn.map((width, index): IGap => {
    const { from, to } = pieces[index];
    const left = (starts[index] + to - from) / whole;
    return { left, width: width / whole, seconds: breaks[index] / 1000 };
  });
  const place = (time: number) => {
    const later = pieces.findIndex(piece => piece.from > time);
    const index = (later < 0 ? pieces.length : later) - 1;
    return (starts[index] + time - pieces[index].from) / whole;
  };
  return { at: place, gaps, seconds: work / 1000 };
}
