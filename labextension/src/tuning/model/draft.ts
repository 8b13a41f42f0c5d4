/** The form of an experiment without its looks: what was typed, what is wrong, and what it means. */
import type { Json } from '../../model/types';
import { inBrackets, literal, split } from './python';
import type { IRow, RowProblems } from './space';
import { combinations, isRange, rowCode, rowProblems, rowText } from './space';
import type { IText } from '../../model/text';
import { patterns } from '../../model/typed';

export interface IDraft {
  /** The notebook or file that has the function, relative to the server's root. */
  readonly path: string;
  readonly function: string;
  readonly rows: readonly IRow[];
  readonly metric: string;
  readonly direction: 'min' | 'max';
  readonly goal: string;
  readonly algorithm: string;
  /** `name=value, name=value` */
  readonly settings: string;
  readonly trials: string;
  readonly parallel: string;
  readonly stopping: '' | 'medianstop';
  readonly maxFailed: string;
  readonly name: string;
  /** As which the best trial's model is registered: `iris` or `iris@champion`. */
  readonly register: string;
}

export type DraftField = Exclude<keyof IDraft, 'rows' | 'direction' | 'stopping'>;

export interface IDraftProblems {
  readonly fields: Partial<Record<DraftField | 'rows', string>>;
  readonly rows: readonly RowProblems[];
  readonly count: number;
}

export const EMPTY_DRAFT: IDraft = {
  path: '',
  function: '',
  rows: [],
  metric: 'loss',
  direction: 'min',
  goal: '',
  algorithm: 'tpe',
  settings: '',
  trials: '20',
  parallel: '',
  stopping: '',
  maxFailed: '',
  name: '',
  register: ''
};

export function isNotebook(path: string): boolean {
  return path.toLowerCase().endsWith('.ipynb');
}

export function problemsOf(draft: IDraft, trans: IText): IDraftProblems {
  const rows = draft.rows.map(row => rowProblems(row, draft.rows, trans));
  const fields: Partial<Record<DraftField | 'rows', string>> = {};
  const add = (field: DraftField | 'rows', wrong: boolean, text: string) => {
    if (wrong && !fields[field]) {
      fields[field] = text;
    }
  };
  add('function', !draft.function.trim(), trans.__('Choose the function that a trial calls.'));
  add('rows', !draft.rows.some(row => row.on), trans.__('Choose at least one parameter.'));
  add(
    'metric',
    !draft.metric.trim(),
    trans.__('The name of what the function returns or reports.')
  );
  const goal = draft.goal.trim();
  add('goal', goal !== '' && !Number.isFinite(Number(goal)), trans.__('A number, or nothing.'));
  const wholes: [DraftField, boolean][] = [
    ['trials', true],
    ['parallel', false],
    ['maxFailed', false]
  ];
  for (const [field, needed] of wholes) {
    const text = String(draft[field]).trim();
    const low = field === 'maxFailed' ? 0 : 1;
    const good = /^\d+$/.test(text) ? Number(text) >= low : !needed && text === '';
    add(field, !good, trans.__('A whole number from %1 on.', low));
  }
  const name = draft.name.trim();
  const usable = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name) && name.length <= 63;
  add('name', name !== '' && !usable, trans.__('Small letters, digits and dashes, at most 63.'));
  add(
    'settings',
    settingsOf(draft.settings) === null,
    trans.__('As in “seed=1, n_startup_trials=5”.')
  );
  const [pattern, unnamed] = patterns(trans).registered;
  const register = draft.register.trim();
  add('register', register !== '' && !pattern.test(register), unnamed);
  const unfit = algorithmProblem(draft, trans);
  add('algorithm', unfit !== null, unfit ?? '');
  const wrong = rows.reduce((sum, row) => sum + Object.keys(row).length, 0);
  return { fields, rows, count: Object.keys(fields).length + wrong };
}

function algorithmProblem(draft: IDraft, trans: IText): string | null {
  const rows = draft.rows.filter(row => row.on);
  if (draft.algorithm === 'grid') {
    const endless = rows.find(row => isRange(row.type) && combinations([row]) === null);
    return endless ? trans.__('A grid needs a step for “%1”.', endless.name) : null;
  }
  if (draft.algorithm === 'cmaes') {
    const words = rows.find(row => row.type === 'categorical');
    return words ? trans.__('CMA-ES takes numbers only; “%1” is a category.', words.name) : null;
  }
  return null;
}

/** Settings by name, or null if they cannot be read. */
export function settingsOf(text: string): Record<string, string> | null {
  const found: Record<string, string> = {};
  for (const part of text.split(',').map(each => each.trim())) {
    if (!part) {
      continue;
    }
    const match = /^([A-Za-z_][\w-]*)\s*=\s*(.+)$/.exec(part);
    if (!match) {
      return null;
    }
    found[match[1]] = match[2].trim();
  }
  return found;
}

function objective(draft: IDraft): string {
  const goal = draft.goal.trim();
  return `${draft.metric.trim()}:${draft.direction}${goal ? `:${goal}` : ''}`;
}

/** The Python that does the same. */
export function pythonOf(draft: IDraft): string {
  const script = !isNotebook(draft.path) && draft.path;
  const rows = draft.rows.filter(row => row.on);
  const space = rows.map(row => `        ${literal(row.name)}: kf.tuning.${rowCode(row)},`);
  const options = Object.entries(optionsOf(draft)).map(
    ([key, value]) => `    ${key}=${code(value)},`
  );
  return [
    ...(script ? ['from pathlib import Path', ''] : []),
    'import jupyter_ext as kf',
    '',
    'experiment = kf.tuning.tune(',
    script ? `    Path(${literal(draft.path)}),` : `    ${draft.function || '…'},`,
    '    {',
    ...space,
    '    },',
    `    objective=${literal(objective(draft))},`,
    ...(script && draft.function ? [`    function=${literal(draft.function)},`] : []),
    ...options,
    ')',
    'experiment'
  ].join('\n');
}

function code(value: Json): string {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    const pairs = Object.entries(value).map(([key, item]) => `${literal(key)}: ${code(item)}`);
    return `{${pairs.join(', ')}}`;
  }
  return literal(value as string | number | boolean | null);
}

/** Keyword arguments that are not left to their defaults; the server takes the same names. */
function optionsOf(draft: IDraft): Record<string, Json> {
  const settings = settingsOf(draft.settings) ?? {};
  const number = (text: string) => (text.trim() ? Number(text) : null);
  const given: Record<string, Json> = {
    algorithm: draft.algorithm,
    settings: Object.keys(settings).length ? settings : null,
    trials: number(draft.trials),
    parallel: number(draft.parallel),
    early_stopping: draft.stopping || null,
    max_failed: number(draft.maxFailed),
    name: draft.name.trim() || null,
    register: draft.register.trim() || null
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
}

/** What the server is asked for when the function is in a file. */
export function bodyOf(draft: IDraft): Record<string, Json> {
  const rows = draft.rows.filter(row => row.on);
  return {
    path: draft.path,
    function: draft.function,
    space: Object.fromEntries(rows.map(row => [row.name, rowText(row)])),
    objective: objective(draft),
    ...optionsOf(draft)
  };
}

/** The metrics that a function's text speaks of: `report(loss=…)`, `return {"loss": …}`. */
export function metricsIn(source: string): string[] {
  const found = new Set<string>();
  for (const call of source.matchAll(/\breport\(/g)) {
    for (const part of split(inBrackets(source.slice(call.index + call[0].length)), ',')) {
      const name = /^\s*([A-Za-z_]\w*)\s*=(?!=)/.exec(part);
      if (name) {
        found.add(name[1]);
      }
    }
  }
  for (const given of source.matchAll(/\breturn\s*\{/g)) {
    for (const part of split(inBrackets(source.slice(given.index + given[0].length)), ',')) {
      const name = /^\s*["']([A-Za-z_][\w-]*)["']\s*:/.exec(part);
      if (name) {
        found.add(name[1]);
      }
    }
  }
  found.delete('step');
  found.delete('progress');
  return [...found];
}

/** Smaller is better for what is named like an error. */
export function directionOf(metric: string): 'min' | 'max' {
  return /acc|auc|f1|score|r2|precision|recall|reward|return|iou|bleu|ndcg/i.test(metric)
    ? 'max'
    : 'min';
}
