/** What a problem's remedy does to the notebook, and the verb on its button. */
import type { IProblem } from '../../model/types';
import type { ICellEdit, ICellText } from './cells';
import { replaceText } from './cells';
import { addTag, removeTag, replaceTag } from './edits';
import type { IText } from '../../model/text';

/** The verb for a problem's button, or null if only a person can mend it. */
export function fixLabel(problem: IProblem, trans: IText): string | null {
  const fix = problem.fix;
  switch (fix?.action) {
    case 'rename':
      return fix.to ? trans.__('Rename to %1', fix.to) : null;
    case 'add-tag':
      return fix.tag === 'imports' || fix.tag === 'functions'
        ? trans.__('Add to %1', fix.tag)
        : fix.tag
          ? trans.__('Add tag %1', fix.tag)
          : null;
    case 'remove-tag':
      return fix.tag ? trans.__('Remove tag %1', fix.tag) : null;
    case 'replace-tag':
      return fix.with ? trans.__('Change to %1', fix.with) : null;
    default:
      return null;
  }
}

/** The edits of a problem's remedy; empty if its cell is gone or it has none. */
export function fixEdits(problem: IProblem, cells: readonly ICellText[]): ICellEdit[] {
  const cell = problemCell(problem, cells);
  const fix = problem.fix;
  if (!cell || !fix) {
    return [];
  }
  switch (fix.action) {
    case 'rename':
      return fix.from && fix.to ? renameName(cell, fix.from, fix.to) : [];
    case 'add-tag':
      return fix.tag ? addTag(cell, fix.tag) : [];
    case 'remove-tag':
      return fix.tag ? removeTag(cell, fix.tag) : [];
    case 'replace-tag':
      return fix.tag && fix.with ? replaceTag(cell, fix.tag, fix.with) : [];
    default:
      return [];
  }
}

/** The cell a problem is about: by id, else by number from 1. */
export function problemCell(problem: IProblem, cells: readonly ICellText[]): ICellText | null {
  const found = problem.cellId ? cells.find(cell => cell.id === problem.cellId) : undefined;
  if (found) {
    return found;
  }
  // A notebook before format 4.5 has no ids of its own, so the server may not know them.
  return problem.cell ? (cells[problem.cell - 1] ?? null) : null;
}

const COMMENT = '#[^\\n]*';
const STRING =
  '(?<![A-Za-z0-9_])[rbuRBU]{0,2}(?:"""[\\s\\S]*?"""|\'\'\'[\\s\\S]*?\'\'\'|"(?:[^"\\\\\\n]|\\\\.)*"|\'(?:[^\'\\\\\\n]|\\\\.)*\')';

/** Every use of a name in a cell, but not as an attribute, nor inside comments and plain strings. */
export function renameName(cell: ICellText, from: string, to: string): ICellEdit[] {
  const escaped = from.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const pattern = new RegExp(
    `${COMMENT}|${STRING}|(?<![\\w.])${escaped}(?!\\w)(?!\\s*=(?!=)[^\\n]*\\))`,
    'g'
  );
  const renamed = cell.source.replace(pattern, match => (match === from ? to : match));
  return replaceText(cell, 0, cell.source, renamed);
}
