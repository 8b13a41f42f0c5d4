/** As much of Python as a form needs: the functions of a file, their parameters, and plain assignments. */
import type { Scalar } from './types';

export interface IArgument {
  readonly name: string;
  readonly annotation: string | null;
  /** Source of the default, or null. */
  readonly standard: string | null;
}

export interface IFunction {
  readonly name: string;
  readonly arguments: readonly IArgument[];
  /** First line of the docstring, or empty. */
  readonly summary: string;
}

/** The functions defined at the left margin, in order; of two with one name the later. */
export function functionsOf(source: string): IFunction[] {
  const found = new Map<string, IFunction>();
  for (const match of source.matchAll(/^def[ \t]+([A-Za-z_]\w*)[ \t]*\(/gm)) {
    const from = match.index + match[0].length;
    const end = scan(source, from, (char, depth) => char === ')' && depth === 0);
    if (end < 0 || inString(source, match.index)) {
      continue;
    }
    found.delete(match[1]);
    found.set(match[1], {
      name: match[1],
      arguments: argumentsOf(source.slice(from, end)),
      summary: docstring(source.slice(end))
    });
  }
  return [...found.values()];
}

function argumentsOf(text: string): IArgument[] {
  const parts = split(text, ',').map(part => withoutComments(part).trim());
  return parts
    .filter(part => part && !part.startsWith('*') && part !== '/')
    .map(part => {
      const equals = topLevel(part, '=');
      const left = equals < 0 ? part : part.slice(0, equals);
      const colon = topLevel(left, ':');
      return {
        name: (colon < 0 ? left : left.slice(0, colon)).trim(),
        annotation: colon < 0 ? null : left.slice(colon + 1).trim(),
        standard: equals < 0 ? null : part.slice(equals + 1).trim()
      };
    })
    .filter(each => /^[A-Za-z_]\w*$/.test(each.name));
}

function docstring(after: string): string {
  const match = /:[ \t]*(?:#[^\n]*)?\n\s*[rR]?("""|''')\s*([^\n]*)/.exec(after);
  if (!match || after.slice(0, match.index).includes('\n')) {
    return '';
  }
  const line = match[2];
  const end = line.indexOf(match[1]);
  return (end < 0 ? line : line.slice(0, end)).trim();
}

export interface IAssignment {
  readonly name: string;
  /** Where the value begins and ends in the source. */
  readonly start: number;
  readonly end: number;
}

/** `name = value` at the left margin, each with the place of its value. */
export function assignments(source: string): IAssignment[] {
  const found: IAssignment[] = [];
  let at = 0;
  while (at < source.length) {
    const end = scan(source, at, (char, depth) => char === '\n' && depth === 0);
    const stop = end < 0 ? source.length : end;
    const line = source.slice(at, stop);
    const match = /^([A-Za-z_]\w*)[ \t]*(?::[^=\n]*)?=(?!=)[ \t]*/.exec(line);
    if (match) {
      const start = at + match[0].length;
      const comment = scan(source, start, char => char === '#', true);
      const limit = comment >= 0 && comment < stop ? comment : stop;
      found.push({
        name: match[1],
        start,
        end: start + source.slice(start, limit).trimEnd().length
      });
    }
    at = stop + 1;
  }
  return found;
}

/** A number, a string, True, False or None; undefined for anything else. */
export function scalar(text: string): Scalar | undefined {
  const word = text.trim();
  const known: Record<string, Scalar> = { True: true, False: false, None: null };
  if (word in known) {
    return known[word];
  }
  if (/^[+-]?(\d[\d_]*\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(word)) {
    return Number(word.replaceAll('_', ''));
  }
  const match = /^(["'])((?:\\.|(?!\1)[^\\\n])*)\1$/.exec(word);
  return match ? match[2].replace(/\\(["'\\])/g, '$1') : undefined;
}

/** The value as Python writes it. */
export function literal(value: Scalar): string {
  if (value === null) {
    return 'None';
  }
  if (typeof value === 'boolean') {
    return value ? 'True' : 'False';
  }
  if (typeof value === 'number') {
    return Number.isFinite(value) ? String(value).replace('e+', 'e') : `float("${value}")`;
  }
  return JSON.stringify(value);
}

/** The items of a list, tuple or `Literal[…]`: their sources. */
export function items(text: string): string[] {
  const match = /^[^[(]*[[(]([\s\S]*)[\])]$/.exec(text.trim());
  return match
    ? split(match[1], ',')
        .map(item => item.trim())
        .filter(Boolean)
    : [];
}

/** What stands between brackets; the text begins right after the opening one. Empty if they never close. */
export function inBrackets(text: string): string {
  const end = scan(text, 0, (char, depth) => ')]}'.includes(char) && depth === 0);
  return text.slice(0, Math.max(0, end));
}

function topLevel(text: string, wanted: string): number {
  return scan(text, 0, (char, depth) => char === wanted && depth === 0);
}

export function split(text: string, separator: string): string[] {
  const parts: string[] = [];
  let from = 0;
  for (;;) {
    const at = scan(text, from, (char, depth) => char === separator && depth === 0);
    if (at < 0) {
      parts.push(text.slice(from));
      return parts;
    }
    parts.push(text.slice(from, at));
    from = at + 1;
  }
}

function withoutComments(text: string): string {
  let rest = text;
  for (;;) {
    const at = scan(rest, 0, char => char === '#', true);
    if (at < 0) {
      return rest;
    }
    const end = rest.indexOf('\n', at);
    rest = rest.slice(0, at) + (end < 0 ? '' : rest.slice(end));
  }
}

function inString(source: string, at: number): boolean {
  let reached = false;
  scan(source, 0, (_, __, index) => {
    reached ||= index === at;
    return index >= at;
  });
  return !reached;
}

/** The first place outside of strings (and comments) for which `stop` holds; -1 if there is none. */
function scan(
  text: string,
  from: number,
  stop: (char: string, depth: number, index: number) => boolean,
  comments = false
): number {
  let depth = 0;
  for (let index = from; index < text.length; index++) {
    const char = text[index];
    if (stop(char, depth, index)) {
      return index;
    }
    if (char === '"' || char === "'") {
      index = endOfString(text, index);
    } else if (char === '#' && !comments) {
      const end = text.indexOf('\n', index);
      index = (end < 0 ? text.length : end) - 1;
    } else if ('([{'.includes(char)) {
      depth += 1;
    } else if (')]}'.includes(char)) {
      depth -= 1;
    }
  }
  return -1;
}

/** Index of the string's last character. */
function endOfString(text: string, from: number): number {
  const quote = text[from];
  const triple = text.startsWith(quote.repeat(3), from);
  const close = triple ? quote.repeat(3) : quote;
  for (let index = from + close.length; index < text.length; index++) {
    if (text[index] === '\\') {
      index += 1;
    } else if (text.startsWith(close, index)) {
      return index + close.length - 1;
    } else if (!triple && text[index] === '\n') {
      return index - 1;
    }
  }
  return text.length;
}
