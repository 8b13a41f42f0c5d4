import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { thin } from '../../chart/smooth';
import { KubeflowError } from '../../model/errors';
import type { ICurvesPage } from './types';

/** Points kept of one line; beyond, every second stretch is thinned to what draws the same. */
const MOST = 20_000;
/** Between two reads while the job runs, in milliseconds. */
const PAUSE = 1_000;
/** Points of a line in one answer. */
const LIMIT = 5_000;

/** What one rank reported under one name. */
export interface ISeries {
  readonly name: string;
  /** -1 for what was measured of the whole job. */
  readonly rank: number;
  readonly steps: number[];
  /** Seconds since 1970. */
  readonly times: number[];
  readonly values: number[];
}

/** All points of one job, in the order in which they came. */
export class Curves {
  cursor = 0;

  get series(): readonly ISeries[] {
    return [...this._series.values()];
  }

  /** Take in what is new; false if there was nothing. */
  add(page: ICurvesPage): boolean {
    this.cursor = page.cursor;
    let some = false;
    for (const { name, rank, points } of page.series) {
      const key = `${rank}/${name}`;
      const series = this._series.get(key) ?? { name, rank, steps: [], times: [], values: [] };
      for (const [step, time, value] of points) {
        some = true;
        series.steps.push(step ?? series.steps.length);
        series.times.push(time);
        series.values.push(value ?? NaN);
      }
      this._series.set(key, series.times.length > MOST ? shortened(series) : series);
    }
    return some;
  }

  private _series = new Map<string, ISeries>();
}

function shortened(series: ISeries): ISeries {
  const { times, values } = series;
  const kept = thin({ x: times, y: values }, times[0], times[times.length - 1], MOST / 8);
  const pick = (numbers: number[]) => kept.map(index => numbers[index]);
  return { ...series, steps: pick(series.steps), times: pick(times), values: pick(values) };
}

export interface ICurvesServices {
  read(since: number, limit: number): Promise<ICurvesPage>;
  later(call: () => void, milliseconds: number): () => void;
}

/** Reads what is new once a second, as long as it is told to. */
export class CurvesFeed {
  constructor(private readonly _services: ICurvesServices) {}

  readonly curves = new Curves();

  get loaded(): boolean {
    return this._loaded;
  }

  get error(): KubeflowError | null {
    return this._error;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Read now, and again and again while the job is active; of a finished one only once. */
  follow(active: boolean): void {
    this._active = active;
    this._wanted = true;
    if (!this._reading) {
      this._cancel?.();
      void this._read();
    }
  }

  /** Nobody looks: ask for nothing. */
  pause(): void {
    this._wanted = false;
    this._cancel?.();
    this._cancel = null;
  }

  private async _read(): Promise<void> {
    this._reading = true;
    const wasActive = this._active;
    try {
      const some = this.curves.add(await this._services.read(this.curves.cursor, LIMIT));
      const first = !this._loaded || this._error !== null;
      this._loaded = true;
      this._error = null;
      if (some || first) {
        this._changed.emit();
      }
    } catch (error) {
      this._error = KubeflowError.from(error);
      this._changed.emit();
    } finally {
      this._reading = false;
    }
    // What was reported while the last answer was on its way is still missing when the job has ended.
    if (this._wanted && (wasActive || this._active || this._error)) {
      this._cancel = this._services.later(() => void this._read(), PAUSE);
    }
  }

  private _loaded = false;
  private _error: KubeflowError | null = null;
  private _active = false;
  private _wanted = false;
  private _reading = false;
  private _cancel: (() => void) | null = null;
  private _changed = new Signal<this, void>(this);
}
