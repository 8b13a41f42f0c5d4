/** Traffic between variants in whole percents that always add up to 100, unless somebody typed otherwise. */

export interface IShare {
  readonly name: string;
  readonly percent: number;
}

export type Split = readonly IShare[];

/** Whole percents from any weights: the largest remainders are rounded up. All zero gives all to the first. */
export function rounded(weights: Split): Split {
  const clean = weights.map(({ percent }) => (percent > 0 && percent < Infinity ? percent : 0));
  const most = Math.max(0, ...clean);
  // Scaled first: a sum of very large weights has no number.
  const scaled = clean.map(weight => (most > 0 ? weight / most : 0));
  const sum = scaled.reduce((total, weight) => total + weight, 0);
  if (!(sum > 0)) {
    return weights.map(({ name }, index) => ({ name, percent: index ? 0 : 100 }));
  }
  const parts = scaled.map(weight => (100 * weight) / sum);
  const floors = parts.map(Math.floor);
  const left = 100 - total(floors);
  const order = parts
    .map((part, index) => ({ index, rest: part - floors[index] }))
    .sort((a, b) => b.rest - a.rest || a.index - b.index);
  const up = new Set(order.slice(0, left).map(({ index }) => index));
  return weights.map(({ name }, index) => ({
    name,
    percent: floors[index] + (up.has(index) ? 1 : 0)
  }));
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, value) => sum + value, 0);
}

/** Where each divider stands: between the first and the second, the second and the third, … */
export function dividers(split: Split): number[] {
  let at = 0;
  // What is typed may be no number for a moment, or too much.
  return split
    .slice(0, -1)
    .map(({ percent }) => (at = Math.min(100, at + (percent > 0 ? percent : 0))));
}

/** Put one divider at a whole percent; it pushes the others along rather than stop at them. */
export function moved(split: Split, divider: number, to: number): Split {
  const place = Math.min(100, Math.max(0, Math.round(Number.isFinite(to) ? to : 0)));
  const places = dividers(split).map((at, index) =>
    index === divider
      ? place
      : index < divider
        ? Math.min(Math.round(at), place)
        : Math.max(Math.round(at), place)
  );
  const ends = [...places, 100];
  return split.map(({ name }, index) => ({
    name,
    percent: ends[index] - (index ? ends[index - 1] : 0)
  }));
}

/** Where a key puts a divider, or null for a key that does not move it. */
export function steered(at: number, key: string): number | null {
  switch (key) {
    case 'ArrowRight':
    case 'ArrowUp':
      return Math.min(100, at + 1);
    case 'ArrowLeft':
    case 'ArrowDown':
      return Math.max(0, at - 1);
    case 'PageUp':
      return Math.min(100, at + 10);
    case 'PageDown':
      return Math.max(0, at - 10);
    case 'Home':
      return 0;
    case 'End':
      return 100;
    default:
      return null;
  }
}

/**
 * One number typed. What it takes or gives comes from the first variant, as upstream counts (100 − the rest),
 * or from the only other one; where that cannot be, the numbers no longer add up and `problem` says so.
 */
export function typed(split: Split, name: string, percent: number): Split {
  const at = split.findIndex(share => share.name === name);
  const other = at === 0 ? (split.length === 2 ? 1 : -1) : 0;
  const others = split.reduce(
    (sum, share, index) => (index === at || index === other ? sum : sum + share.percent),
    0
  );
  const rest = 100 - others - percent;
  return split.map((share, index) =>
    index === at
      ? { name, percent }
      : index === other && Number.isInteger(rest) && rest >= 0 && rest <= 100
        ? { name: share.name, percent: rest }
        : share
  );
}

export type SplitProblem =
  | { kind: 'number'; name: string }
  | { kind: 'more'; sum: number; by: number }
  | { kind: 'less'; sum: number; by: number };

/** Why this is no split; null if it is one. */
export function problem(split: Split): SplitProblem | null {
  const wrong = split.find(
    ({ percent }) => !Number.isInteger(percent) || percent < 0 || percent > 100
  );
  if (wrong) {
    return { kind: 'number', name: wrong.name };
  }
  const sum = total(split.map(({ percent }) => percent));
  return sum === 100
    ? null
    : sum > 100
      ? { kind: 'more', sum, by: sum - 100 }
      : { kind: 'less', sum, by: 100 - sum };
}

export function same(left: Split, right: Split): boolean {
  return (
    left.length === right.length &&
    left.every(({ name, percent }, index) => {
      const other = right[index];
      return other.name === name && other.percent === percent;
    })
  );
}

/** As the server takes it. */
export function asRecord(split: Split): Record<string, number> {
  return Object.fromEntries(split.map(({ name, percent }) => [name, percent]));
}

export interface IShift {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** Which variants get more or less than before. */
export function shifts(before: Split, after: Split): IShift[] {
  const old = new Map(before.map(({ name, percent }) => [name, percent]));
  const found = after.map(({ name, percent }) => ({
    name,
    from: old.get(name) ?? 0,
    to: percent
  }));
  const gone = before
    .filter(({ name }) => !after.some(share => share.name === name))
    .map(({ name, percent }) => ({ name, from: percent, to: 0 }));
  return [...found, ...gone].filter(({ from, to }) => from !== to);
}
