import type { Json } from '../../model/types';
import type { IText } from '../../model/text';

export interface IJsonProblem {
  readonly message: string;
  /** Counts from 0. */
  readonly position: number;
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
}

const NUMBER = /-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
// eslint-disable-next-line no-control-regex
const STRING = /"([^"\\\u0000-\u001f]|\\(["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SPACE = /[ \t\n\r]*/y;
const WORD = /true|false|null/y;

/** Where a text stops being JSON: browsers tell it differently, or not at all. */
class Scanner {
  constructor(private readonly _text: string) {}

  at = 0;

  whole(): boolean {
    this._take(SPACE);
    return this._value(0) && (this._take(SPACE), this.at === this._text.length);
  }

  private _value(depth: number): boolean {
    const first = this._text[this.at];
    if (depth > 200) {
      return false;
    }
    if (first === '{') {
      return this._list('}', () => this._field(depth));
    }
    if (first === '[') {
      return this._list(']', () => this._value(depth + 1));
    }
    return this._take(STRING) || this._take(NUMBER) || this._take(WORD);
  }

  private _field(depth: number): boolean {
    if (!this._take(STRING)) {
      return false;
    }
    this._take(SPACE);
    if (!this._char(':')) {
      return false;
    }
    this._take(SPACE);
    return this._value(depth + 1);
  }

  private _list(end: string, item: () => boolean): boolean {
    this.at += 1;
    this._take(SPACE);
    if (this._char(end)) {
      return true;
    }
    for (;;) {
      if (!item()) {
        return false;
      }
      this._take(SPACE);
      if (this._char(end)) {
        return true;
      }
      if (!this._char(',')) {
        return false;
      }
      this._take(SPACE);
    }
  }

  private _char(wanted: string): boolean {
    const found = this._text[this.at] === wanted;
    this.at += found ? 1 : 0;
    return found;
  }

  private _take(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this._text);
    this.at += found ? found[0].length : 0;
    return found !== null;
  }
}

/** What was typed, or where it stops being JSON. */
export function parseJson(text: string, trans: IText): { value: Json } | { problem: IJsonProblem } {
  try {
    return { value: JSON.parse(text) as Json };
  } catch {
    const scanner = new Scanner(text);
    scanner.whole();
    return { problem: placed(text, scanner.at, trans) };
  }
}

function placed(text: string, position: number, trans: IText): IJsonProblem {
  const before = text.slice(0, position).split('\n');
  const place = { position, line: before.length, column: before[before.length - 1].length + 1 };
  const found = text.slice(position, position + 12).split('\n')[0];
  const message = found
    ? trans.__('Line %1, column %2: “%3” is no JSON here.', place.line, place.column, found)
    : trans.__('Line %1, column %2: something is missing.', place.line, place.column);
  return { ...place, message };
}

const WIDE = 72;

/** Indented, but what fits on a line stays there: rows of numbers read as rows. */
export function pretty(value: Json, indent = ''): string {
  const flat = JSON.stringify(value);
  if (flat === undefined || typeof value !== 'object' || value === null) {
    return flat ?? 'null';
  }
  const scalars = Object.values(value).every(each => typeof each !== 'object' || each === null);
  if ((scalars && indent.length + flat.length <= WIDE) || !Object.keys(value).length) {
    return spaced(value);
  }
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    return `[\n${value.map(each => deeper + pretty(each, deeper)).join(',\n')}\n${indent}]`;
  }
  const fields = Object.entries(value).map(
    ([name, each]) => `${deeper}${JSON.stringify(name)}: ${pretty(each, deeper)}`
  );
  return `{\n${fields.join(',\n')}\n${indent}}`;
}

function spaced(value: Json[] | { [key: string]: Json }): string {
  return Array.isArray(value)
    ? `[${value.map(each => JSON.stringify(each)).join(', ')}]`
    : `{${Object.entries(value)
        .map(([name, each]) => `${JSON.stringify(name)}: ${JSON.stringify(each)}`)
        .join(', ')}}`;
}
