/**
 * The `%%step NAME --cpu 2 …` line of a cell, read and edited in place.
 *
 * Edits touch only the word they are about: order, spacing and options that are not known here stay
 * as the author wrote them.
 */

interface IWord {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Where the `%%step` line stands in a cell's source. */
export interface IMagicLine {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

const WORD = /(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'])+/g;

function words(line: string): IWord[] {
  return Array.from(line.matchAll(WORD), match => ({
    start: match.index,
    end: match.index + match[0].length,
    text: match[0]
  }));
}

function unquote(text: string): string {
  return text.replace(
    /"((?:[^"\\]|\\.)*)"|'([^']*)'/g,
    (_, double: string | undefined, single: string | undefined) =>
      double !== undefined ? double.replace(/\\(["\\])/g, '$1') : (single ?? '')
  );
}

function quote(value: string): string {
  if (value !== '' && !/[\s"'\\]/.test(value)) {
    return value;
  }
  if (!/["\\]/.test(value)) {
    return `"${value}"`;
  }
  return value.includes("'") ? `"${value.replace(/(["\\])/g, '\\$1')}"` : `'${value}'`;
}

/** The `%%step` line of a source, or null; blank lines above it are allowed, as in IPython. */
export function findMagic(source: string): IMagicLine | null {
  const match = /^\s*?(%%step(?:[ \t][^\n]*)?)(?:\n|$)/.exec(source);
  if (!match) {
    return null;
  }
  const start = match[0].indexOf('%%step');
  const text = match[1] ?? '';
  return { start, end: start + text.length, text };
}

/** The step's name on the line, or null if it has none. */
export function magicName(line: string): string | null {
  const second = words(line)[1];
  return second && !second.text.startsWith('-') ? unquote(second.text) : null;
}

interface IOptionPlace {
  readonly start: number;
  readonly end: number;
  readonly value: string | null;
}

function findOption(line: string, flag: string): IOptionPlace | null {
  const all = words(line);
  for (const [index, word] of all.entries()) {
    if (word.text.startsWith(`${flag}=`)) {
      const value = unquote(word.text.slice(flag.length + 1));
      return { start: word.start, end: word.end, value };
    }
    if (word.text === flag) {
      const next = all[index + 1];
      if (!next || next.text.startsWith('--')) {
        return { start: word.start, end: word.end, value: null };
      }
      return { start: word.start, end: next.end, value: unquote(next.text) };
    }
  }
  return null;
}

/** The value of an option (`--cpu`), '' if it stands without one, null if it is absent. */
export function magicOption(line: string, flag: string): string | null {
  const place = findOption(line, flag);
  return place ? (place.value ?? '') : null;
}

/** The line with another name. */
export function setMagicName(line: string, name: string): string {
  const second = words(line)[1];
  if (second && !second.text.startsWith('-')) {
    return line.slice(0, second.start) + quote(name) + line.slice(second.end);
  }
  const first = words(line)[0]?.end ?? 0;
  return `${line.slice(0, first)} ${quote(name)}${line.slice(first)}`;
}

/** The line with an option set, or taken away if `value` is null. */
export function setMagicOption(line: string, flag: string, value: string | null): string {
  const place = findOption(line, flag);
  if (value === null) {
    return place ? line.slice(0, place.start).trimEnd() + line.slice(place.end) : line;
  }
  const text = `${flag} ${quote(value)}`;
  if (place) {
    return line.slice(0, place.start) + text + line.slice(place.end);
  }
  return `${line.trimEnd()} ${text}`;
}
