/**
 * The notebook as edits see it: cells with their text and tags, and edits as plain values.
 *
 * An edit says what it replaces, so that its inverse is known and a stale edit can be refused.
 */

/** One cell, by value. */
export interface ICellText {
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly tags: readonly string[];
}

/** A change to one cell: other tags, or a piece of its source replaced. */
export interface ICellEdit {
  readonly id: string;
  readonly tags?: { readonly from: readonly string[]; readonly to: readonly string[] };
  readonly text?: { readonly start: number; readonly from: string; readonly to: string };
}

/** The edit that takes another back. */
export function inverse(edit: ICellEdit): ICellEdit {
  return {
    id: edit.id,
    ...(edit.tags && { tags: { from: edit.tags.to, to: edit.tags.from } }),
    ...(edit.text && {
      text: { start: edit.text.start, from: edit.text.to, to: edit.text.from }
    })
  };
}

/** Edits in the order that takes a list of them back. */
export function inverseAll(edits: readonly ICellEdit[]): ICellEdit[] {
  return edits.map(inverse).reverse();
}

/** Whether the cell still is what the edit expects. */
export function applies(edit: ICellEdit, cell: ICellText): boolean {
  if (edit.tags && !sameList(edit.tags.from, cell.tags)) {
    return false;
  }
  const text = edit.text;
  return !text || cell.source.slice(text.start, text.start + text.from.length) === text.from;
}

/** The cell after an edit that applies. */
export function edited(cell: ICellText, edit: ICellEdit): ICellText {
  const text = edit.text;
  return {
    ...cell,
    tags: edit.tags ? [...edit.tags.to] : cell.tags,
    source: text
      ? cell.source.slice(0, text.start) +
        text.to +
        cell.source.slice(text.start + text.from.length)
      : cell.source
  };
}

/** A whole-line replacement as the smallest edit, so that cursors elsewhere in the line stay. */
export function replaceText(cell: ICellText, start: number, from: string, to: string): ICellEdit[] {
  if (from === to) {
    return [];
  }
  let head = 0;
  while (head < from.length && head < to.length && from[head] === to[head]) {
    head += 1;
  }
  let tail = 0;
  while (
    tail < from.length - head &&
    tail < to.length - head &&
    from[from.length - 1 - tail] === to[to.length - 1 - tail]
  ) {
    tail += 1;
  }
  return [
    {
      id: cell.id,
      text: {
        start: start + head,
        from: from.slice(head, from.length - tail),
        to: to.slice(head, to.length - tail)
      }
    }
  ];
}

/** Other tags for a cell, or no edit if they are the same. */
export function replaceTags(cell: ICellText, to: readonly string[]): ICellEdit[] {
  return sameList(cell.tags, to) ? [] : [{ id: cell.id, tags: { from: cell.tags, to } }];
}

export function sameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((item, index) => item === right[index]);
}
