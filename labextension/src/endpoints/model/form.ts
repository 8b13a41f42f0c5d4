import type { IMachine } from '../../model/machine';
import { fitWords } from '../../model/machine';
import { parseCpu } from '../../model/quantities';
import type { IText } from '../../model/text';
import type { FormProblems, FormValues } from '../../model/typed';
import { mismatches, patterns, resources, said, seconds, text } from '../../model/typed';
import type { Json } from '../../model/types';
import { stickyProblem } from './changes';

export type { FormValues };

/** What a form starts with: the defaults of the Python call. */
export const SERVE_DEFAULTS: FormValues = {
  model: '',
  version: '',
  endpoint: '',
  place: 'replace',
  percent: '10',
  variant: '',
  replicas: '1',
  cpu: '',
  memory: '',
  gpu: '',
  idle: '',
  sticky: '',
  log: '',
  rules: '',
  timeout: '',
  env: '',
  grpc: false,
  explain: false,
  trust: false
};

const NAME = /^[a-z]([-a-z0-9]{0,51}[a-z0-9])?$/;

/** The endpoint's name where none is typed: the model's, as a name may be. */
export function endpointName(model: string): string {
  const clean = model
    .normalize('NFKD')
    .toLocaleLowerCase('en')
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, 53)
    .replace(/-+$/, '');
  return clean || 'endpoint';
}

/** `iris`, `iris:3` or `iris@champion`. */
export function modelText(values: FormValues): string {
  const version = text(values, 'version');
  const model = text(values, 'model');
  return version.startsWith('@') ? model + version : version ? `${model}:${version}` : model;
}

/** What is wrong with what was typed, by field; what only the server knows it says itself. */
export function formProblems(values: FormValues, trans: IText): FormProblems {
  const { count, cores, memory, time } = patterns(trans);
  const problems = mismatches(values, {
    endpoint: [
      NAME,
      trans.__('Small letters, digits and dashes, at most 53, beginning with a letter.')
    ],
    variant: [NAME, trans.__('Small letters, digits and dashes, beginning with a letter.')],
    replicas: [/^\d{1,3}(:\d{1,3})?$/, trans.__('A whole number, or MIN:MAX such as 0:3.')],
    cpu: cores,
    memory,
    gpu: count,
    idle: time,
    timeout: time
  });
  const [low, high] = text(values, 'replicas').split(':').map(Number);
  if (!problems.replicas && (high < low || high === 0 || (low === 0 && high === undefined))) {
    problems.replicas =
      high < low
        ? trans.__('The least number comes first: %1:%2.', high, low)
        : trans.__('At least one at most, such as 0:1.');
  }
  const percent = text(values, 'percent');
  if (values.place === 'beside' && !/^(100|\d{1,2})$/.test(percent)) {
    problems.percent = trans.__('A whole number from 0 to 100.');
  }
  const sticky = text(values, 'sticky');
  if (sticky) {
    const wrong = /^(header|query|body):/.test(sticky)
      ? stickyProblem(sticky, trans)
      : trans.__('header:NAME, query:NAME or body:FIELD, such as header:x-user.');
    if (wrong) {
      problems.sticky = wrong;
    }
  }
  const { wrong } = pairs(String(values.env ?? ''));
  if (wrong) {
    problems.env = trans.__('“%1” is not NAME = VALUE, or its name is there twice.', wrong);
  }
  return problems;
}

/** `NAME = value` a line. */
export function pairs(source: string): { values: Record<string, string>; wrong: string | null } {
  const values: Record<string, string> = {};
  for (const line of source.split('\n').map(each => each.trim())) {
    if (!line) {
      continue;
    }
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/.exec(line) ?? [];
    if (!name || name in values) {
      return { values, wrong: line };
    }
    values[name] = value;
  }
  return { values, wrong: null };
}

/** Why it cannot be submitted yet, or null. */
export function incomplete(values: FormValues, trans: IText): string | null {
  return text(values, 'model') ? null : trans.__('Choose a model first.');
}

/** Rules as they are typed: one a line. */
export function rulesOf(source: string): string[] {
  return source
    .split('\n')
    .map(line => line.trim())
    .filter(Boolean);
}

const LOGS: Record<string, Json> = {
  all: true,
  some: { sample: 0.1 },
  heads: { sample: 1, bodies: false }
};

/** What is sent: only what was said. */
export function formBody(values: FormValues): Record<string, Json> {
  const replicas = text(values, 'replicas');
  const body = said({
    model: modelText(values),
    endpoint: text(values, 'endpoint'),
    variant: text(values, 'variant'),
    replicas: replicas.includes(':') ? replicas : replicas === '1' ? '' : Number(replicas) || '',
    resources: resources(values),
    env: pairs(String(values.env ?? '')).values,
    idle: seconds(text(values, 'idle')),
    timeout: seconds(text(values, 'timeout')),
    sticky: text(values, 'sticky'),
    log: LOGS[text(values, 'log')] ?? '',
    rules: rulesOf(String(values.rules ?? '')),
    grpc: values.grpc === true || '',
    explain: values.explain === true || '',
    trust: values.trust === true || ''
  });
  const percent = Number(text(values, 'percent'));
  return {
    ...body,
    ...(values.place === 'beside' && Number.isFinite(percent) ? { percent } : {})
  };
}

/** Whether it fits on the machine, in a sentence: until the server has said it itself. */
export function whatFits(
  values: FormValues,
  machine: IMachine | null | undefined,
  trans: IText
): string | null {
  if (!machine?.cpuMilli) {
    return null;
  }
  const count = text(values, 'replicas').split(':').map(Number).pop() || 1;
  const each = parseCpu(text(values, 'cpu'));
  const size = trans._n('%1 replica', '%1 replicas', count);
  if (each === null) {
    const has = machine.cpuMilli / 1000;
    return trans.__('%1 on this machine, which has %2 cores.', size, has);
  }
  const fitting = Math.floor(machine.cpuMilli / each);
  // Each replica is lent its share on its own: only one that never fits is refused.
  return fitting && fitting < count
    ? trans.__('%1 at most: %2 of them run at once on this machine.', size, fitting)
    : fitWords(size, (count * each) / 1000, machine, trans);
}
