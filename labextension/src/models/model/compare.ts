import type { ICompareRow } from '../../model/comparison';
import { sections } from '../../model/comparison';

const ORDER = ['metrics', 'parameters', 'data', 'signature', 'format', 'lineage', 'packages'];
/** Sections of which rows that are the same say nothing: there may be a hundred. */
const LONG = new Set(['packages']);

export interface IVersionSection {
  name: string;
  rows: ICompareRow[];
  differing: number;
  /** Rows left out because they are the same everywhere. */
  same: number;
}

/** In a fixed order, differing rows first; of packages only those that differ. */
export function versionSections(
  rows: readonly ICompareRow[],
  onlyDiffering: boolean
): IVersionSection[] {
  const place = (name: string) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  const kept = rows.filter(row => row.differs || !LONG.has(row.section));
  const left = (name: string) =>
    LONG.has(name) ? rows.filter(row => row.section === name && !row.differs).length : 0;
  const found = sections(kept, onlyDiffering).map(section => ({
    ...section,
    same: left(section.name)
  }));
  return found.sort((a, b) => place(a.name) - place(b.name));
}
