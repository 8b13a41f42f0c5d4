import type { IArtifact, Json } from './types';

/** What `GET runs:compare` answers. */
export interface IComparison {
  runs: string[];
  rows: ICompareRow[];
  /** Per step, the unified diff of each run's code against the first run's; empty if the same. */
  code: Record<string, string[]>;
  artifacts: Record<string, (IArtifact | null)[]>;
}

export interface ICompareRow {
  section: string;
  name: string;
  values: Json[];
  differs: boolean;
}

/** Sections in a fixed order, the differing rows of each first. */
export function sections(
  rows: readonly ICompareRow[],
  onlyDiffering: boolean
): { name: string; rows: ICompareRow[]; differing: number }[] {
  const order = ['parameters', 'metrics', 'run', 'seconds', 'states', 'cached', 'outputs'];
  const names = [...new Set(rows.map(row => row.section))].sort(
    (a, b) => rank(order, a) - rank(order, b)
  );
  return names
    .map(name => {
      const all = rows.filter(row => row.section === name);
      const differing = all.filter(row => row.differs);
      const rest = onlyDiffering ? [] : all.filter(row => !row.differs);
      return { name, rows: [...differing, ...rest], differing: differing.length };
    })
    .filter(section => section.rows.length);
}

function rank(order: readonly string[], name: string): number {
  const at = order.indexOf(name);
  return at < 0 ? order.length : at;
}

/** Lengths of bars from 0 to 1, or null where there is no number. */
export function shares(values: readonly Json[]): (number | null)[] {
  const numbers = values.map(value => (typeof value === 'number' ? value : null));
  const known = numbers.filter((value): value is number => value !== null);
  const most = Math.max(...known.map(Math.abs), 0);
  return numbers.map(value => (value === null || !most ? null : Math.abs(value) / most));
}

/** How far each number is from the first one; null where there is none or no difference. */
export function deltas(values: readonly Json[]): (number | null)[] {
  const first = values[0];
  return values.map((value, index) =>
    index && typeof first === 'number' && typeof value === 'number' && value !== first
      ? value - first
      : null
  );
}

/** Columns with the greatest and the least number; none if they are all the same. */
export function extremes(values: readonly Json[]): { most: number[]; least: number[] } {
  const numbers = values.map((value, index) => [value, index] as const);
  const known = numbers.filter(
    (pair): pair is readonly [number, number] => typeof pair[0] === 'number'
  );
  const high = Math.max(...known.map(([value]) => value));
  const low = Math.min(...known.map(([value]) => value));
  if (!known.length || high === low) {
    return { most: [], least: [] };
  }
  return {
    most: known.filter(([value]) => value === high).map(([, index]) => index),
    least: known.filter(([value]) => value === low).map(([, index]) => index)
  };
}
