/** What the gateway measured of each variant, as lines over one time axis. */
import type { ILine } from '../../chart/lines';
import type { ISeries } from '../../training/model/curves';

export type Measure = 'rate' | 'errors' | 'p50' | 'p95' | 'p99' | 'in_flight';

/** Nothing is measured while nothing comes: a gap of so many seconds is drawn as none. */
const GAP = 3;

export function find(
  series: readonly ISeries[],
  variant: string,
  measure: Measure
): ISeries | undefined {
  const name = `${variant}/${measure}`;
  return series.find(each => each.name === name);
}

/** The mean over the last so many seconds; what was not measured counts as 0 for what counts per second. */
export function recent(found: ISeries | undefined, now: number, seconds = 10): number | null {
  if (!found) {
    return null;
  }
  let sum = 0;
  for (let index = found.times.length - 1; index >= 0; index--) {
    if (found.times[index] <= now - seconds) {
      break;
    }
    sum += found.values[index] || 0;
  }
  return sum / seconds;
}

/** The last value that is not older than so many seconds. */
export function latest(found: ISeries | undefined, now: number, seconds = 60): number | null {
  for (let index = (found?.times.length ?? 0) - 1; index >= 0; index--) {
    if (found!.times[index] < now - seconds) {
      return null;
    }
    if (Number.isFinite(found!.values[index])) {
      return found!.values[index];
    }
  }
  return null;
}

/** The newest time of all, in seconds since 1970; null without a point. */
export function newest(series: readonly ISeries[]): number | null {
  const ends = series.map(({ times }) => times[times.length - 1] ?? -Infinity);
  const last = Math.max(-Infinity, ...ends);
  return Number.isFinite(last) ? last : null;
}

/**
 * Points from a moment on, x as seconds before the end; nothing is drawn across a silence. A point stands for the
 * second that ends there: one alone is a short line, not nothing.
 */
export function windowed(
  found: ISeries,
  end: number,
  seconds: number,
  silence: 'zero' | 'gap'
): { x: number[]; y: number[] } {
  const x: number[] = [];
  const y: number[] = [];
  const put = (time: number, value: number) => {
    x.push(time - end);
    y.push(value);
  };
  let before: number | null = null;
  found.times.forEach((time, index) => {
    if (time < end - seconds || time > end) {
      return;
    }
    const from: number = before ?? end - seconds;
    if (time - from > GAP) {
      const value = silence === 'zero' ? 0 : NaN;
      put(before === null ? end - seconds : before + 1, value);
      put(time - 1, value);
      if (silence === 'gap') {
        put(time - 1, found.values[index]);
      }
    }
    put(time, found.values[index]);
    before = time;
  });
  if (before !== null && end - before > GAP) {
    put(before + 1, silence === 'zero' ? 0 : NaN);
    put(end, silence === 'zero' ? 0 : NaN);
  }
  return { x, y };
}

export interface ITrafficChart {
  readonly id: 'rate' | 'latency' | 'errors';
  readonly lines: readonly ILine[];
}

/** Three pictures: how much, how fast, how wrong; a colour for each variant. */
export function trafficCharts(
  series: readonly ISeries[],
  variants: readonly string[],
  end: number,
  seconds: number
): ITrafficChart[] {
  const line = (variant: string, at: number, measure: Measure, name: string): ILine[] => {
    const found = find(series, variant, measure);
    if (!found) {
      return [];
    }
    const counted = measure === 'rate' || measure === 'errors';
    return [
      {
        key: `${variant}/${measure}`,
        name,
        ...windowed(found, end, seconds, counted ? 'zero' : 'gap'),
        colour: at,
        weight: measure === 'p50' || measure === 'p99' ? 'thin' : 'main'
      }
    ];
  };
  const all = (measure: Measure, named = false) =>
    variants.flatMap((variant, at) =>
      line(variant, at, measure, named ? `${variant} ${measure}` : variant)
    );
  return [
    { id: 'rate', lines: all('rate') },
    { id: 'latency', lines: [...all('p50', true), ...all('p95', true), ...all('p99', true)] },
    { id: 'errors', lines: all('errors') }
  ];
}
