/** What was typed into the fields of a form: read, checked field by field, and as it is sent. */
import type { IText } from './text';
import type { Json } from './types';

export type FormValues = Readonly<Record<string, string | boolean>>;
export type FormProblems = Readonly<Record<string, string>>;

const TIME = /^([1-9]\d{0,8})([smhd]?)$/;
const SECONDS: Record<string, number> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 };

export function text(values: FormValues, name: string): string {
  const value = values[name];
  return typeof value === 'string' ? value.trim() : '';
}

/** A pattern, and the sentence for what does not match it; what is empty matches. */
export type Pattern = readonly [pattern: RegExp, problem: string];

/** The patterns that several forms know by these names. */
export function patterns(
  trans: IText
): Record<'count' | 'cores' | 'memory' | 'time' | 'registered', Pattern> {
  return {
    count: [/^\d{1,6}$/, trans.__('A whole number.')],
    cores: [/^\d+(\.\d+)?m?$/, trans.__('Cores, such as 2, 0.5 or 500m.')],
    memory: [
      /^\d+(\.\d+)?([KMGTP]i?|[mk])?$/,
      trans.__('An amount with its unit, such as 4Gi or 512Mi.')
    ],
    time: [TIME, trans.__('A time such as 90, 10m or 2h.')],
    registered: [
      /^[^@{\s][^@]*(@(?=.*[\p{L}\p{N}])[\p{L}\p{N}._-]+)?$/u,
      trans.__('A model’s name, or with an alias: iris@champion.')
    ]
  };
}

export function mismatches(
  values: FormValues,
  fields: Readonly<Record<string, Pattern>>
): Record<string, string> {
  const found = Object.entries(fields).filter(([name, [pattern]]) => {
    const value = text(values, name);
    return value && !pattern.test(value);
  });
  return Object.fromEntries(found.map(([name, [, problem]]) => [name, problem]));
}

/** Seconds of `90`, `10m` or `2h`; nothing where it is no time. */
export function seconds(value: string): number | '' {
  const [, amount, unit] = TIME.exec(value) ?? [];
  return amount ? Number(amount) * SECONDS[unit] : '';
}

/** `{cpu, memory, gpu}` as far as they were typed. */
export function resources(values: FormValues): Record<string, string> {
  const typed = ['cpu', 'memory', 'gpu'].map(name => [name, text(values, name)]);
  return Object.fromEntries(typed.filter(([, value]) => value)) as Record<string, string>;
}

/** What is sent: nothing that was left empty. */
export function said(body: Readonly<Record<string, Json>>): Record<string, Json> {
  const isSaid = (value: Json) =>
    value !== '' && value !== null && (typeof value !== 'object' || Object.keys(value).length > 0);
  return Object.fromEntries(Object.entries(body).filter(([, value]) => isSaid(value)));
}
