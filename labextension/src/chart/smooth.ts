/** Numbers along a line; what is not finite is a gap. No DOM. */

export interface IXY {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/**
 * Exponential moving average, without the pull towards zero at its beginning (as TensorBoard draws it).
 * `weight` from 0 (none) to below 1. Gaps stay gaps and do not count.
 */
export function smooth(values: readonly number[], weight: number): number[] {
  if (weight <= 0) {
    return [...values];
  }
  let last = 0;
  let seen = 0;
  return values.map(value => {
    if (!Number.isFinite(value)) {
      return NaN;
    }
    seen += 1;
    last = last * weight + value * (1 - weight);
    return last / (1 - weight ** seen);
  });
}

/** How many points one line may be behind the others and still count. */
const BEHIND = 2;

/**
 * The mean of several lines at every x where one of them has a value. Each line's x grows. A line that is a
 * moment behind counts with its last value: else the mean would jump at its end while they all still grow.
 */
export function mean(lines: readonly IXY[]): { x: number[]; y: number[] } {
  const sums = new Map<number, { sum: number; count: number }>();
  const add = (x: number, y: number) => {
    if (Number.isFinite(x) && Number.isFinite(y)) {
      const found = sums.get(x) ?? { sum: 0, count: 0 };
      sums.set(x, { sum: found.sum + y, count: found.count + 1 });
    }
  };
  lines.forEach(line => line.x.forEach((x, at) => add(x, line.y[at])));
  const x = [...sums.keys()].sort((a, b) => a - b);
  for (const line of lines) {
    const missing = x.filter(at => at > line.x[line.x.length - 1]);
    if (missing.length <= BEHIND) {
      missing.forEach(at => add(at, line.y[line.y.length - 1]));
    }
  }
  return { x, y: x.map(at => sums.get(at)!.sum / sums.get(at)!.count) };
}

/**
 * Indexes that draw the same picture with at most four points a column: the first, the last, the lowest and
 * the highest of each. `columns` are pixels; `x` grows.
 */
export function thin(line: IXY, from: number, to: number, columns: number): number[] {
  const { x, y } = line;
  if (x.length <= columns * 2 || !(to > from)) {
    return x.map((_, index) => index);
  }
  const kept: number[] = [];
  const columnOf = (index: number) => Math.floor(((x[index] - from) / (to - from)) * columns);
  for (let start = 0; start < x.length;) {
    const column = columnOf(start);
    let end = start;
    let [low, high] = [start, start];
    while (end + 1 < x.length && columnOf(end + 1) === column) {
      end += 1;
      low = y[end] < y[low] || Number.isNaN(y[low]) ? end : low;
      high = y[end] > y[high] || Number.isNaN(y[high]) ? end : high;
    }
    kept.push(...[...new Set([start, low, high, end])].sort((a, b) => a - b));
    start = end + 1;
  }
  return kept;
}

/** The index whose x is nearest; -1 where there is none. `x` grows. */
export function nearest(x: readonly number[], value: number): number {
  let [low, high] = [0, x.length - 1];
  if (high < 0) {
    return -1;
  }
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (x[middle] < value) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return Math.abs(x[low] - value) <= Math.abs(x[high] - value) ? low : high;
}

/** The range that shows the lines: outliers count too, what is not finite does not. `log` leaves out what is not above 0. */
export function range(lines: readonly IXY[], log = false): [number, number] | null {
  let low = Infinity;
  let high = -Infinity;
  for (const { y } of lines) {
    for (const value of y) {
      if (Number.isFinite(value) && !(log && value <= 0)) {
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
  }
  return low <= high ? [low, high] : null;
}
