/** The parameters form without its looks: text in fields, typed values out, a sentence per mistake. */
import type { IParameter, Json } from '../../model/types';
import type { IText } from '../../model/text';

/** What stands in the fields, by parameter; a parameter that is absent keeps its default. */
export type Drafts = Readonly<Record<string, string>>;

/** A field of the form as it stands. */
export interface IField {
  readonly parameter: IParameter;
  readonly text: string;
  readonly changed: boolean;
  readonly problem: string | null;
}

/** The form's fields in the notebook's order. */
export function fields(parameters: readonly IParameter[], drafts: Drafts, trans: IText): IField[] {
  return parameters.map(parameter => {
    const initial = asText(parameter.default, parameter.type);
    const text = drafts[parameter.name] ?? initial;
    const parsed = parse(text, parameter.type, trans);
    return {
      parameter,
      text,
      changed: text.trim() !== initial.trim(),
      problem: 'problem' in parsed ? parsed.problem : null
    };
  });
}

/** The typed values that differ from the defaults, or null while a field has a problem. */
export function changedValues(list: readonly IField[], trans: IText): Record<string, Json> | null {
  const values: Record<string, Json> = {};
  for (const field of list) {
    const parsed = parse(field.text, field.parameter.type, trans);
    if ('problem' in parsed) {
      return null;
    }
    if (field.changed) {
      values[field.parameter.name] = parsed.value;
    }
  }
  return values;
}

/** A value as it stands in a field: Python's spelling, text without quotes. */
export function asText(value: Json, type: IParameter['type']): string {
  if (type === 'str' && typeof value === 'string') {
    return value;
  }
  if (type === 'float' && typeof value === 'number' && Number.isInteger(value)) {
    return Math.abs(value) < 1e16 ? value.toFixed(1) : String(value);
  }
  return python(value);
}

function python(value: Json): string {
  if (value === null) {
    return 'None';
  }
  if (typeof value === 'boolean') {
    return value ? 'True' : 'False';
  }
  if (Array.isArray(value)) {
    return `[${value.map(python).join(', ')}]`;
  }
  if (typeof value === 'object') {
    const items = Object.entries(value).map(
      ([key, item]) => `${JSON.stringify(key)}: ${python(item)}`
    );
    return `{${items.join(', ')}}`;
  }
  return JSON.stringify(value);
}

/** The typed value of a field's text, or the sentence that says what is wrong with it. */
export function parse(
  text: string,
  type: IParameter['type'],
  trans: IText
): { value: Json } | { problem: string } {
  const word = text.trim();
  switch (type) {
    case 'int':
      return /^[+-]?\d[\d_]*$/.test(word)
        ? { value: Number(word.replaceAll('_', '')) }
        : { problem: trans.__('A whole number, such as 10.') };
    case 'float':
      return /^[+-]?(\d[\d_]*\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(word)
        ? { value: Number(word.replaceAll('_', '')) }
        : { problem: trans.__('A number, such as 0.1 or 1e-3.') };
    case 'bool':
      return /^(true|false)$/i.test(word)
        ? { value: /^true$/i.test(word) }
        : { problem: trans.__('True or False.') };
    case 'str':
      return { value: text };
    case 'list':
    case 'dict':
      return parseLiteral(word, type, trans);
  }
}

function parseLiteral(
  text: string,
  type: 'list' | 'dict',
  trans: IText
): { value: Json } | { problem: string } {
  const problem =
    type === 'list'
      ? trans.__('A list, such as [1, 2, 3].')
      : trans.__('A dict, such as {"a": 1}.');
  try {
    const value = new Literal(text).read();
    const fits = type === 'list' ? Array.isArray(value) : isRecord(value);
    return fits ? { value } : { problem };
  } catch {
    return { problem };
  }
}

function isRecord(value: Json): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const TOKEN =
  /\s*(?:([[\](){}:,])|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(True|False|None|true|false|null)\b)/y;

/** A reader of Python literals of lists, dicts, numbers, text, True, False and None. */
class Literal {
  constructor(private readonly _text: string) {
    this._next();
  }

  read(): Json {
    const value = this._value();
    if (this._token !== null) {
      throw new SyntaxError(this._token);
    }
    return value;
  }

  private _next(): void {
    if (this._text.slice(this._at).trim() === '') {
      this._token = null;
      return;
    }
    TOKEN.lastIndex = this._at;
    const match = TOKEN.exec(this._text);
    if (!match) {
      throw new SyntaxError(this._text);
    }
    this._at = TOKEN.lastIndex;
    this._token = match[0].trim();
  }

  private _value(): Json {
    const token = this._token;
    if (token === null) {
      throw new SyntaxError(this._text);
    }
    this._next();
    if (token === '[' || token === '(') {
      return this._items(token === '[' ? ']' : ')', () => this._value());
    }
    if (token === '{') {
      return Object.fromEntries(this._items('}', () => this._entry()));
    }
    return scalar(token);
  }

  private _entry(): [string, Json] {
    const key = this._value();
    if (typeof key !== 'string' || this._token !== ':') {
      throw new SyntaxError(this._text);
    }
    this._next();
    return [key, this._value()];
  }

  private _items<T>(close: string, read: () => T): T[] {
    const items: T[] = [];
    while (this._token !== close) {
      items.push(read());
      if (this._token === ',') {
        this._next();
      } else if (this._token !== close) {
        throw new SyntaxError(this._text);
      }
    }
    this._next();
    return items;
  }

  private _at = 0;
  private _token: string | null = null;
}

const WORDS: Record<string, Json> = {
  True: true,
  False: false,
  None: null,
  true: true,
  false: false,
  null: null
};

const ESCAPES: Record<string, string> = { n: '\n', t: '\t', r: '\r', '0': '\0' };

function scalar(token: string): Json {
  if (token in WORDS) {
    return WORDS[token] ?? null;
  }
  if (/^["']/.test(token)) {
    return token.slice(1, -1).replace(/\\(.)/g, (_, char: string) => ESCAPES[char] ?? char);
  }
  const value = Number(token.replaceAll('_', ''));
  if (Number.isNaN(value) || /^[[\](){}:,]$/.test(token)) {
    throw new SyntaxError(token);
  }
  return value;
}
