import type { TranslationBundle } from '@jupyterlab/translation';

import type { IServerStatus, Json } from '../../model/types';

type Trans = Pick<TranslationBundle, '__' | '_n'>;
export type FormValues = Readonly<Record<string, string | boolean>>;
export type FormProblems = Readonly<Record<string, string>>;

/** What a form starts with: the defaults of the Python call. */
export const TRAIN_DEFAULTS: FormValues = {
  code: 'source',
  source: '',
  path: '',
  function: '',
  framework: 'torch',
  name: '',
  nodes: '1',
  procs: '1',
  args: '',
  env: '',
  data: '',
  packages: '',
  cpu: '',
  memory: '',
  gpu: '',
  deadline: '',
  restarts: '',
  checkpoint: false
};

const QUANTITY = /^\d+(\.\d+)?([KMGTP]i?|[mk])?$/;
const NAME = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;
const NODES = /^[1-9]\d{0,4}(:[1-9]\d{0,4})?$/;
const COUNT = /^\d{1,6}$/;
const TIME = /^([1-9]\d{0,8})([smhd]?)$/;
const SECONDS: Record<string, number> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 };

/** `lr = 0.1` a line, as JSON where it reads as JSON (or Python's None, True, False), else as text. */
export function pairs(text: string): { values: Record<string, Json>; wrong: string | null } {
  const values: Record<string, Json> = {};
  for (const line of text.split('\n').map(each => each.trim())) {
    if (!line || line.startsWith('#')) {
      continue;
    }
    const at = line.indexOf('=');
    const name = line.slice(0, Math.max(0, at)).trim();
    if (at < 1 || !/^[^\s=]+$/.test(name) || name in values) {
      return { values, wrong: line };
    }
    values[name] = literal(line.slice(at + 1).trim());
  }
  return { values, wrong: null };
}

function literal(text: string): Json {
  const words: Record<string, Json> = { None: null, True: true, False: false };
  if (text in words) {
    return words[text];
  }
  try {
    return JSON.parse(text.startsWith("'") ? text.replace(/^'(.*)'$/, '"$1"') : text) as Json;
  } catch {
    return text;
  }
}

function text(values: FormValues, name: string): string {
  const value = values[name];
  return typeof value === 'string' ? value.trim() : '';
}

/** What is wrong with what was typed, by field; what only the server knows it says itself. */
export function formProblems(values: FormValues, trans: Trans): FormProblems {
  const problems: Record<string, string> = {};
  const check = (name: string, pattern: RegExp, problem: string) => {
    const value = text(values, name);
    if (value && !pattern.test(value)) {
      problems[name] = problem;
    }
  };
  check(
    'name',
    NAME,
    trans.__('Small letters, digits and dashes, at most 63, beginning with a letter.')
  );
  check('nodes', NODES, trans.__('A whole number, or MIN:MAX such as 1:4.'));
  check('procs', /^[1-9]\d{0,4}$/, trans.__('A whole number above 0.'));
  check('restarts', COUNT, trans.__('A whole number.'));
  check('gpu', COUNT, trans.__('A whole number.'));
  check('cpu', /^\d+(\.\d+)?m?$/, trans.__('Cores, such as 2, 0.5 or 500m.'));
  check('memory', QUANTITY, trans.__('An amount with its unit, such as 4Gi or 512Mi.'));
  check('deadline', TIME, trans.__('A time such as 90, 10m or 2h.'));
  const [low, high] = text(values, 'nodes').split(':').map(Number);
  if (!problems.nodes && high < low) {
    problems.nodes = trans.__('The least number comes first: %1:%2.', high, low);
  }
  for (const name of ['args', 'env', 'data']) {
    const { wrong } = pairs(typeof values[name] === 'string' ? (values[name] as string) : '');
    if (wrong) {
      problems[name] = trans.__('“%1” is not NAME = VALUE, or its name is there twice.', wrong);
    }
  }
  return problems;
}

/** Why it cannot be submitted yet, or null. */
export function incomplete(values: FormValues, trans: Trans): string | null {
  if (values.code === 'file') {
    return text(values, 'path') ? null : trans.__('Name a Python file first.');
  }
  return text(values, 'source') ? null : trans.__('Write or take over some code first.');
}

function strings(found: Record<string, Json>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(found).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value)
    ])
  );
}

/** What is sent: only what was said. */
export function formBody(values: FormValues): Record<string, Json> {
  const file = values.code === 'file';
  const [, amount, unit] = TIME.exec(text(values, 'deadline')) ?? [];
  const nodes = text(values, 'nodes');
  const resources = Object.fromEntries(
    ['cpu', 'memory', 'gpu'].map(name => [name, text(values, name)]).filter(([, value]) => value)
  ) as Record<string, string>;
  const all: Record<string, Json> = {
    path: file ? text(values, 'path') : '',
    function: file ? text(values, 'function') : '',
    source: file ? '' : String(values.source ?? ''),
    framework: text(values, 'framework'),
    name: text(values, 'name'),
    nodes: nodes.includes(':') ? nodes : Number(nodes) || '',
    procs: Number(text(values, 'procs')) || '',
    resources,
    packages: text(values, 'packages')
      .split(/[\s,]+/)
      .filter(Boolean),
    args: pairs(String(values.args ?? '')).values,
    env: strings(pairs(String(values.env ?? '')).values),
    data: strings(pairs(String(values.data ?? '')).values),
    deadline: amount ? Number(amount) * SECONDS[unit] : '',
    restarts: Number(text(values, 'restarts')) || '',
    checkpoint: values.checkpoint === true || ''
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => said(value)));
}

function said(value: Json): boolean {
  if (value === '' || value === null) {
    return false;
  }
  return typeof value !== 'object' || Object.keys(value).length > 0;
}

function cores(quantity: string): number {
  return quantity.endsWith('m') ? Number(quantity.slice(0, -1)) / 1000 : Number(quantity);
}

/** Whether it fits on the machine, in a sentence: until the server has said it itself. */
export function whatFits(
  values: FormValues,
  machine: IServerStatus['machine'],
  trans: Trans
): string | null {
  if (!machine?.cpuMilli) {
    return null;
  }
  const has = machine.cpuMilli / 1000;
  const nodes = Number(text(values, 'nodes').split(':')[0]) || 1;
  const procs = Number(text(values, 'procs')) || 1;
  const asked = text(values, 'cpu')
    ? nodes * cores(text(values, 'cpu'))
    : Math.min(nodes * procs, has);
  const size = trans._n('%1 process', '%1 processes', nodes * procs);
  if (!Number.isFinite(asked)) {
    return null;
  }
  return asked > has
    ? trans.__('%1 on %2 cores: this machine has %3. It will be refused.', size, asked, has)
    : trans.__('%1 on %2 of %3 cores of this machine.', size, asked, has);
}

/** The source of a cell without its `%%train` line. */
export function cellSource(source: string): string {
  return source.replace(/^\s*%%train[^\n]*\n?/, '');
}
