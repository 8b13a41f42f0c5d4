import type { IAsked } from '../../graph/outline';
import type { Json } from '../../model/types';

/** What is typed in a field, by the name of the parameter. */
export type Typed = Readonly<Record<string, string | boolean>>;

/** Why a value cannot be taken: a key for the words of the form. */
export type Fault = 'missing' | 'integer' | 'number' | 'list' | 'mapping' | 'json';

export interface IRead {
  /** What is given: nothing for a parameter that keeps its default. */
  values: Record<string, Json>;
  faults: Record<string, Fault>;
}

/** What a form shows at first. */
export function defaults(asked: readonly IAsked[]): Typed {
  return Object.fromEntries(asked.map(each => [each.name, shown(each)]));
}

function shown(asked: IAsked): string | boolean {
  const value = asked.default;
  if (asked.type === 'BOOLEAN' && typeof value === 'boolean') {
    return isChoice(asked) ? String(value) : value;
  }
  if (value === null || value === undefined) {
    return '';
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** True and false are a box only where one of them is what it is without an answer. */
export function isChoice(asked: IAsked): boolean {
  return asked.literals.length > 0 || (asked.type === 'BOOLEAN' && asked.default === null);
}

/** Each text as its type has it; the server has the last word. */
export function read(asked: readonly IAsked[], typed: Typed): IRead {
  const found: IRead = { values: {}, faults: {} };
  for (const each of asked) {
    const text = typed[each.name];
    if (text === undefined || text === shown(each)) {
      if (each.required && (text === undefined || text === '')) {
        found.faults[each.name] = 'missing';
      }
      continue;
    }
    const result = typeof text === 'boolean' ? { value: text } : parse(each, text);
    if (result && 'fault' in result) {
      found.faults[each.name] = result.fault;
    } else if (result) {
      found.values[each.name] = result.value;
    }
  }
  return found;
}

/** A value, why it is none, or that nothing is given. */
type Result = { value: Json } | { fault: Fault } | null;

function parse(asked: IAsked, text: string): Result {
  const trimmed = text.trim();
  switch (asked.type) {
    case 'STRING':
    case 'ARTIFACT':
      return text || asked.type === 'STRING' ? { value: text } : null;
    case 'NUMBER_INTEGER':
      return trimmed === ''
        ? nothing(asked, 'integer')
        : /^[+-]?\d+$/.test(trimmed)
          ? { value: Number(trimmed) }
          : { fault: 'integer' };
    case 'NUMBER_DOUBLE':
      return trimmed === ''
        ? nothing(asked, 'number')
        : Number.isFinite(Number(trimmed))
          ? { value: Number(trimmed) }
          : { fault: 'number' };
    case 'BOOLEAN':
      return trimmed === '' ? null : { value: trimmed === 'true' };
    default:
      return trimmed === '' ? nothing(asked, 'json') : parseJson(asked.type, trimmed);
  }
}

/** An emptied field gives nothing: that can be where the parameter may be left out. */
function nothing(asked: IAsked, fault: Fault): Result {
  return asked.required || asked.default !== null ? { fault } : null;
}

function parseJson(type: string, text: string): Result {
  const fault = type === 'LIST' ? 'list' : type === 'STRUCT' ? 'mapping' : 'json';
  try {
    const value = JSON.parse(text) as Json;
    const kind = Array.isArray(value) ? 'LIST' : value && typeof value === 'object' ? 'STRUCT' : '';
    return kind === type || fault === 'json' ? { value } : { fault };
  } catch {
    return { fault };
  }
}
