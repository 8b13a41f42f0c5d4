export interface IDiffLine {
  kind: 'same' | 'added' | 'removed';
  text: string;
  /** Line numbers from 1 in the old and the new text. */
  old: number | null;
  new: number | null;
}

/** Above this product of line counts only what surrounds the change is compared. */
const MOST = 4_000_000;

/** Line by line, by the longest common subsequence. */
export function diffLines(before: string, after: string): IDiffLine[] {
  const a = before.split('\n');
  const b = after.split('\n');
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) {
    head += 1;
  }
  let tail = 0;
  while (
    tail < a.length - head &&
    tail < b.length - head &&
    a[a.length - 1 - tail] === b[b.length - 1 - tail]
  ) {
    tail += 1;
  }
  const middle = compare(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  const marks = [
    ...a.slice(0, head).map((): IDiffLine['kind'] => 'same'),
    ...middle,
    ...a.slice(a.length - tail).map((): IDiffLine['kind'] => 'same')
  ];
  let i = 0;
  let j = 0;
  return marks.map(kind => {
    const text = kind === 'added' ? b[j] : a[i];
    const line = {
      kind,
      text,
      old: kind === 'added' ? null : i + 1,
      new: kind === 'removed' ? null : j + 1
    };
    i += kind === 'added' ? 0 : 1;
    j += kind === 'removed' ? 0 : 1;
    return line;
  });
}

function compare(a: string[], b: string[]): IDiffLine['kind'][] {
  if (a.length * b.length > MOST) {
    return [...a.map(() => 'removed' as const), ...b.map(() => 'added' as const)];
  }
  const width = b.length + 1;
  const length = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      length[i * width + j] =
        a[i] === b[j]
          ? length[(i + 1) * width + j + 1] + 1
          : Math.max(length[(i + 1) * width + j], length[i * width + j + 1]);
    }
  }
  const marks: IDiffLine['kind'][] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      marks.push('same');
      i += 1;
      j += 1;
    } else if (length[(i + 1) * width + j] >= length[i * width + j + 1]) {
      marks.push('removed');
      i += 1;
    } else {
      marks.push('added');
      j += 1;
    }
  }
  return [
    ...marks,
    ...a.slice(i).map(() => 'removed' as const),
    ...b.slice(j).map(() => 'added' as const)
  ];
}

/** Keep changes with some lines around them; `null` stands for lines left out. */
export function hunks(lines: readonly IDiffLine[], around = 3): (IDiffLine | null)[] {
  const keep = new Set<number>();
  lines.forEach((line, index) => {
    if (line.kind !== 'same') {
      for (let i = index - around; i <= index + around; i++) {
        keep.add(i);
      }
    }
  });
  const found: (IDiffLine | null)[] = [];
  lines.forEach((line, index) => {
    if (keep.has(index)) {
      found.push(line);
    } else if (found[found.length - 1] !== null) {
      found.push(null);
    }
  });
  return found;
}

/** A unified diff, as made on the server, as the same lines; file headers are left out. */
export function parseUnified(text: string): (IDiffLine | null)[] {
  const found: (IDiffLine | null)[] = [];
  let [old, fresh] = [0, 0];
  for (const line of text.split('\n')) {
    const head = /^@@ -(\d+)(?:,\d+)? \+(\d+)/.exec(line);
    if (head) {
      [old, fresh] = [Number(head[1]), Number(head[2])];
      found.push(null);
    } else if (line.startsWith('---') || line.startsWith('+++') || !line) {
      continue;
    } else if (line.startsWith('+')) {
      found.push({ kind: 'added', text: line.slice(1), old: null, new: fresh++ });
    } else if (line.startsWith('-')) {
      found.push({ kind: 'removed', text: line.slice(1), old: old++, new: null });
    } else {
      found.push({ kind: 'same', text: line.slice(1), old: old++, new: fresh++ });
    }
  }
  return found;
}
