/** Where a value lies on an axis, as a share from 0 to 1, and which values are marked. No DOM. */

export type AxisValue = string | number | boolean | null | undefined;

export interface ITick {
  readonly at: number;
  readonly label: string;
}

export interface IScale {
  readonly kind: 'linear' | 'log' | 'category';
  /** 0 to 1 for what lies on the axis; NaN for what has no place on it. */
  at(value: AxisValue): number;
  /** The value at a share: of a category axis, the nearest category. */
  value(share: number): number | string;
  /** At most so many marks. */
  ticks(most: number): ITick[];
  /** How far one press of an arrow key goes. */
  readonly step: number;
}

/** With `whole`, only whole numbers are marked. */
export function linear(low: number, high: number, whole = false): IScale {
  const [from, to] = widened(low, high);
  const at = (value: AxisValue) => (numeric(value) - from) / (to - from);
  return {
    kind: 'linear',
    at,
    value: share => round(from + share * (to - from), (to - from) / 1000),
    ticks: most =>
      niceTicks(from, to, whole ? Math.min(most, Math.max(1, to - from)) : most)
        .filter(value => !whole || Number.isInteger(value))
        .map(value => ({ at: at(value), label: short(value) })),
    step: 0.02
  };
}

/** Both ends are above zero. */
export function log(low: number, high: number): IScale {
  const from = Math.log10(low);
  const to = low === high ? from + 1 : Math.log10(high);
  const at = (value: AxisValue) => (Math.log10(numeric(value)) - from) / (to - from);
  return {
    kind: 'log',
    at,
    value: share => {
      const value = 10 ** (from + share * (to - from));
      return Number(value.toPrecision(3));
    },
    ticks: most => logTicks(from, to, most).map(value => ({ at: at(value), label: short(value) })),
    step: 0.02
  };
}

/** Categories at equal distances; a single one in the middle. */
export function category(names: readonly string[]): IScale {
  const places = new Map(names.map((name, index) => [name, index]));
  const last = names.length - 1;
  const share = (index: number) => (last > 0 ? index / last : 0.5);
  return {
    kind: 'category',
    at: value => {
      const index = places.get(String(value));
      return index === undefined ? NaN : share(index);
    },
    value: at => names[Math.min(last, Math.max(0, Math.round(at * last)))] ?? '',
    ticks: most => {
      const every = Math.max(1, Math.ceil(names.length / Math.max(1, most)));
      return names
        .map((label, index) => ({ at: share(index), label }))
        .filter((_, index) => index % every === 0);
    },
    step: last > 0 ? 1 / last : 2
  };
}

/** The range of what is finite; null if nothing is. */
export function extent(values: Iterable<number | null | undefined>): [number, number] | null {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (typeof value === 'number' && Number.isFinite(value)) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return low <= high ? [low, high] : null;
}

/** Multiples of 1, 2 or 5 times a power of ten within the range. */
export function niceTicks(low: number, high: number, most: number): number[] {
  const size = (high - low) / Math.max(1, most);
  if (!(size > 0) || !Number.isFinite(size)) {
    return Number.isFinite(low) ? [low] : [];
  }
  const power = 10 ** Math.floor(Math.log10(size));
  const step = [1, 2, 5, 10].map(times => times * power).find(each => each >= size * 0.999) ?? size;
  const found: number[] = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index++) {
    found.push(Number((index * step).toPrecision(12)));
  }
  return found;
}

function logTicks(from: number, to: number, most: number): number[] {
  const found: number[] = [];
  const every = Math.max(1, Math.ceil((Math.floor(to) - Math.ceil(from) + 1) / Math.max(1, most)));
  for (let power = Math.ceil(from - 1e-9); power <= to + 1e-9; power += every) {
    found.push(10 ** power);
  }
  if (found.length >= 2) {
    return found;
  }
  return niceTicks(10 ** from, 10 ** to, most).filter(value => value > 0);
}

function numeric(value: AxisValue): number {
  return typeof value === 'number' ? value : value === null || value === '' ? NaN : Number(value);
}

function widened(low: number, high: number): [number, number] {
  if (low < high) {
    return [low, high];
  }
  const by = Math.abs(low) / 2 || 0.5;
  return [low - by, low + by];
}

function round(value: number, grain: number): number {
  const digits = Math.max(0, Math.min(12, Math.ceil(-Math.log10(grain || 1))));
  return Number(value.toFixed(digits));
}

/** Short enough for an axis: `0.001`, `1e-5`, `20k`. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) {
    return value
      .toExponential(2)
      .replace(/\.?0+e/, 'e')
      .replace('e+', 'e');
  }
  return size >= 1e4
    ? `${Number((value / 1000).toPrecision(4))}k`
    : `${Number(value.toPrecision(5))}`;
}
