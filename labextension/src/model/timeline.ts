import { millis } from '../format';
import { isFinished, knownState } from './states';
import type { IRun, RunState } from './types';

/** A bar of the Gantt chart; times in milliseconds. */
export interface IBar {
  name: string;
  title: string;
  state: RunState;
  /** The run is over and never came to it. */
  left: boolean;
  cached: boolean;
  parent: string | null;
  critical: boolean;
  queued: number | null;
  started: number | null;
  ended: number | null;
}

export interface ITimeline {
  bars: IBar[];
  from: number;
  to: number;
}

/** Bars in the order of the notebook, iterations below their step; open ones end now. */
export function timeline(run: IRun, now: number): ITimeline {
  const over = isFinished(run.status.phase);
  const critical = new Set(over ? (run.status.criticalPath ?? []) : []);
  const order = run.spec.pipeline?.graph?.steps.map(step => step.name) ?? [];
  const place = new Map(order.map((name, index) => [name, index]));
  const statuses = [...(run.status.steps ?? [])].sort(
    (a, b) => (place.get(a.parent ?? a.name) ?? 1e9) - (place.get(b.parent ?? b.name) ?? 1e9)
  );
  const titles = new Map(
    run.spec.pipeline?.graph?.steps.map(step => [step.name, step.title || step.name])
  );
  const bars = statuses.map((step): IBar => {
    const state = knownState(step.state);
    const started = millis(step.startedAt);
    return {
      name: step.name,
      title: titles.get(step.name) ?? step.title ?? step.name,
      state,
      left: over && state === 'PENDING',
      cached: Boolean(step.cached),
      parent: step.parent ?? null,
      critical: critical.has(step.name),
      queued: millis(step.queuedAt),
      started,
      ended: millis(step.finishedAt) ?? (state === 'RUNNING' ? now : started)
    };
  });
  const times = bars
    .flatMap(bar => [bar.queued, bar.started, bar.ended])
    .filter((time): time is number => time !== null);
  const from = Math.min(millis(run.status.startTime) ?? Infinity, ...times);
  const open = !run.status.completionTime && run.status.startTime;
  const to = Math.max(millis(run.status.completionTime) ?? 0, open ? now : 0, ...times);
  const sane = Number.isFinite(from) ? from : now;
  return { bars, from: sane, to: Math.max(to, sane + 10) };
}

/** Round distances between marks so that about `count` fit. In seconds. */
export function ticks(seconds: number, count: number): number[] {
  const steps = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600,
    1800, 3600, 7200, 21600, 43200, 86400
  ];
  const step = steps.find(each => seconds / each <= count) ?? 86400 * Math.ceil(seconds / 864000);
  const found: number[] = [];
  for (let i = 0; i * step <= seconds; i++) {
    found.push(i * step);
  }
  return found;
}
