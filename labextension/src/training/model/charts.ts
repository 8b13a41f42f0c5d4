import type { ILine } from '../../chart/lines';
import { mean, nearest, smooth } from '../../chart/smooth';
import type { ISeries } from './curves';
import { byName } from './job';

export interface ICurveOptions {
  x: 'step' | 'time';
  /** 0 to below 1. */
  smoothing: number;
  log: boolean;
  /** Whether each rank is drawn beside their mean. */
  ranks: boolean;
}

export const CURVE_OPTIONS: ICurveOptions = { x: 'step', smoothing: 0, log: false, ranks: true };

export interface IMetricChart {
  name: string;
  lines: ILine[];
  /** Of the longest series, to go from a step to its time and back. */
  steps: readonly number[];
  /** Seconds since the start. */
  times: readonly number[];
}

/** In one picture: the mean thick, the ranks behind it thin, and faint what was smoothed. */
export function metricCharts(
  series: readonly ISeries[],
  start: number,
  options: ICurveOptions,
  words: { mean: string; rank: (rank: number) => string }
): IMetricChart[] {
  const names = [...new Set(series.map(each => each.name))].filter(
    name => !name.startsWith('system/')
  );
  return names.sort(byName).map(name => {
    const found = series.filter(each => each.name === name).sort((a, b) => a.rank - b.rank);
    const longest = found.reduce((a, b) => (b.times.length > a.times.length ? b : a));
    const times = longest.times.map(time => time - start);
    return { name, lines: linesOf(found, start, options, words), steps: longest.steps, times };
  });
}

function linesOf(
  found: readonly ISeries[],
  start: number,
  options: ICurveOptions,
  words: { mean: string; rank: (rank: number) => string }
): ILine[] {
  const raw = found.map(({ rank, steps, times, values }) => ({
    rank,
    ...ordered(options.x === 'step' ? steps : times.map(time => time - start), values)
  }));
  const single = raw.length === 1;
  const whole = single ? raw[0] : mean(options.x === 'step' ? raw : aligned(raw));
  const main: ILine = {
    key: 'mean',
    name: single ? words.rank(raw[0].rank) : words.mean,
    x: whole.x,
    y: smooth(whole.y, options.smoothing),
    colour: 0,
    weight: 'main'
  };
  const faint: ILine[] =
    options.smoothing > 0 ? [{ ...main, key: 'raw', y: whole.y, weight: 'faint' }] : [];
  const ranks =
    single || !options.ranks
      ? []
      : raw.map(({ rank, x, y }): ILine => ({
          key: `rank-${rank}`,
          name: words.rank(rank),
          x,
          y: smooth(y, options.smoothing),
          colour: 1 + (rank % 7),
          weight: 'thin'
        }));
  return [...faint, ...ranks, main];
}

/** Ranks report at almost the same times: their mean is taken where the first of them reported. */
function aligned<T extends { x: readonly number[]; y: readonly number[] }>(lines: readonly T[]) {
  const [first] = lines;
  return lines.map(line =>
    line === first ? line : { x: first.x, y: first.x.map(x => line.y[nearest(line.x, x)]) }
  );
}

/** A resumed job reports steps again that were reported before; the later ones count. */
function ordered(x: readonly number[], y: readonly number[]): { x: number[]; y: number[] } {
  const grows = x.every((value, index) => !index || value >= x[index - 1]);
  if (grows) {
    return { x: [...x], y: [...y] };
  }
  const last = new Map(x.map((value, index) => [value, y[index]]));
  const sorted = [...last.keys()].sort((a, b) => a - b);
  return { x: sorted, y: sorted.map(value => last.get(value)!) };
}

export interface ISystemChart {
  id: 'cpu' | 'memory' | 'gpu' | 'gpu-memory';
  lines: ILine[];
}

/** What the job used: cores and bytes, and each GPU. */
export function systemCharts(series: readonly ISeries[], start: number): ISystemChart[] {
  const ids: ISystemChart['id'][] = ['cpu', 'memory', 'gpu', 'gpu-memory'];
  return ids
    .map(id => {
      const found = series.filter(({ name }) => new RegExp(`^system/${id}(/.*)?$`).test(name));
      const lines = found.map(({ name, rank, times, values }, index): ILine => ({
        key: `${name}/${rank}`,
        name: name.split('/')[2] ?? id,
        ...ordered(
          times.map(time => time - start),
          values
        ),
        colour: index,
        weight: 'main'
      }));
      return { id, lines };
    })
    .filter(({ lines }) => lines.length);
}
