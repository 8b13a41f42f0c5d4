import { bytes } from '../../format';
import type { IMachine } from '../../model/machine';
import { fitWords } from '../../model/machine';
import { pairs } from '../../model/pairs';
import type { IText } from '../../model/text';
import type { FormProblems, FormValues } from '../../model/typed';
import { mismatches, patterns, said, text } from '../../model/typed';
import type { Json } from '../../model/types';
import type { IAsked } from './memory';
import { LEAST_HEAP, leased, sparkBytes } from './memory';

export type { FormValues };

/** What a form starts with: the defaults of the Python calls. */
export const SPARK_DEFAULTS: FormValues = {
  what: 'session',
  when: 'now',
  path: '',
  function: '',
  source: '',
  args: '',
  arguments: '',
  name: '',
  cores: '',
  executors: '1',
  memory: '1g',
  driverMemory: '1g',
  conf: '',
  env: '',
  packages: '',
  jars: '',
  pyFiles: '',
  mainClass: '',
  retries: '',
  idle: '',
  schedule: '0 6 * * *',
  timeZone: '',
  concurrencyPolicy: 'Forbid'
};

const NAME = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;
const COUNT = /^[1-9]\d{0,4}$/;
const MEMORY = ['memory', 'driverMemory'] as const;
const CRON =
  /^(@(hourly|daily|weekly|monthly|yearly|annually|midnight)|@every\s+\S+|\S+(\s+\S+){4})$/;

/** The values of one way to run something; the others keep what was typed into them. */
export function isBatch(values: FormValues): boolean {
  return values.what !== 'session';
}

export function isScheduled(values: FormValues): boolean {
  return isBatch(values) && values.when === 'clock';
}

/** Where the answers go. */
export function pluralFor(values: FormValues): string {
  return isScheduled(values)
    ? 'scheduledsparkapplications'
    : isBatch(values)
      ? 'sparkapplications'
      : 'sparkconnects';
}

export function isJar(values: FormValues): boolean {
  return values.what === 'file' && text(values, 'path').toLowerCase().endsWith('.jar');
}

/** Whether what runs is a function, which takes arguments by name; a file takes a command line. */
export function takesNames(values: FormValues): boolean {
  return values.what === 'code' || (values.what === 'file' && text(values, 'function') !== '');
}

/** What is wrong with what was typed, by field; what only the server knows it says itself. */
export function formProblems(values: FormValues, trans: IText): FormProblems {
  const positive = trans.__('A whole number above 0.');
  const problems = mismatches(values, {
    name: [
      NAME,
      trans.__('Small letters, digits and dashes, at most 63, beginning with a letter.')
    ],
    cores: [COUNT, positive],
    executors: [COUNT, positive],
    ...(isBatch(values) && { retries: patterns(trans).count }),
    ...(isScheduled(values) && {
      schedule: [
        CRON,
        trans.__('Five fields: minute, hour, day, month, weekday; or @daily, @every 1h30m.')
      ] as const
    })
  });
  for (const name of MEMORY) {
    const typed = text(values, name);
    const size = sparkBytes(typed);
    if (typed && size === null) {
      problems[name] = trans.__('Write it as Spark does: 512m, 2g.');
    } else if (size !== null && size < LEAST_HEAP) {
      problems[name] = trans.__('Too little for Spark, which itself needs 450m.');
    }
  }
  for (const name of isBatch(values) ? ['conf', 'env', 'args'] : ['conf']) {
    const { wrong } = pairs(typed(values, name));
    if (wrong && (name !== 'args' || takesNames(values))) {
      problems[name] = trans.__('“%1” is not NAME = VALUE, or its name is there twice.', wrong);
    }
  }
  const strange = Object.keys(pairs(typed(values, 'conf')).values).find(
    name => !name.startsWith('spark.')
  );
  if (strange && !problems.conf) {
    problems.conf = trans.__('“%1” is no setting of Spark: they begin with “spark.”.', strange);
  }
  return problems;
}

function typed(values: FormValues, name: string): string {
  return String(values[name] ?? '');
}

/** Why it cannot be sent yet, or null. */
export function incomplete(values: FormValues, trans: IText): string | null {
  if (values.what === 'file' && !text(values, 'path')) {
    return trans.__('Name a Python file or a .jar first.');
  }
  if (isJar(values) && !text(values, 'mainClass')) {
    return trans.__('Name the main class of the .jar first.');
  }
  if (values.what === 'code' && !text(values, 'source')) {
    return trans.__('Write or take over some code first.');
  }
  return isScheduled(values) && !text(values, 'schedule')
    ? trans.__('Say when it runs first.')
    : null;
}

/** What is sent: only what was said. */
export function formBody(values: FormValues): Record<string, Json> {
  const shared = {
    name: text(values, 'name'),
    cores: Number(text(values, 'cores')) || '',
    executors: Number(text(values, 'executors')) || '',
    memory: text(values, 'memory'),
    driverMemory: text(values, 'driverMemory'),
    conf: strings(values, 'conf')
  };
  if (!isBatch(values)) {
    return said({ ...shared, idle: text(values, 'idle') });
  }
  const clock = isScheduled(values) && {
    schedule: text(values, 'schedule'),
    timeZone: text(values, 'timeZone'),
    concurrencyPolicy: text(values, 'concurrencyPolicy')
  };
  return said({ ...programOf(values), ...shared, ...moreOf(values), ...(clock || {}) });
}

function programOf(values: FormValues): Record<string, Json> {
  if (values.what === 'code') {
    return { source: typed(values, 'source'), args: pairs(typed(values, 'args')).values };
  }
  const byName = takesNames(values);
  return {
    path: text(values, 'path'),
    function: isJar(values) ? '' : text(values, 'function'),
    mainClass: isJar(values) ? text(values, 'mainClass') : '',
    args: byName ? pairs(typed(values, 'args')).values : {},
    arguments: byName ? [] : lines(values, 'arguments')
  };
}

function moreOf(values: FormValues): Record<string, Json> {
  return {
    env: strings(values, 'env'),
    packages: lines(values, 'packages'),
    jars: lines(values, 'jars'),
    pyFiles: lines(values, 'pyFiles'),
    retries: Number(text(values, 'retries')) || ''
  };
}

function strings(values: FormValues, name: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(pairs(typed(values, name)).values).map(([key, value]) => [
      key,
      typeof value === 'string' ? value : JSON.stringify(value)
    ])
  );
}

function lines(values: FormValues, name: string): string[] {
  return typed(values, name)
    .split('\n')
    .map(line => line.trim())
    .filter(Boolean);
}

/** What would be leased; nothing where a field is empty or wrong. */
export function askedFor(values: FormValues, machine: IMachine | null): IAsked | null {
  const half = Math.max(1, Math.floor((machine?.cpuMilli ?? 2000) / 2000));
  const cores = Number(text(values, 'cores') || (isBatch(values) ? 1 : half));
  const executors = Number(text(values, 'executors') || 1);
  const memory = sparkBytes(text(values, 'memory') || '1g');
  const driverMemory = sparkBytes(text(values, 'driverMemory') || '1g');
  return memory && driverMemory && cores > 0 && executors > 0
    ? { cores, executors, memory, driverMemory }
    : null;
}

/** Why it can never be had here, by field. */
export function neverFits(
  values: FormValues,
  machine: IMachine | null,
  trans: IText
): FormProblems {
  const asked = askedFor(values, machine);
  if (!asked || !machine) {
    return {};
  }
  const { cores, memory } = leased(asked);
  const { cpuMilli, memoryBytes } = machine;
  const problems: Record<string, string> = {};
  if (cpuMilli && cores * 1000 > cpuMilli) {
    const has = cpuMilli / 1000;
    problems.cores = trans.__('%1 cores cannot be had: this machine has %2.', cores, has);
  }
  if (memoryBytes && memory > memoryBytes) {
    const [needs, has] = [bytes(memory), bytes(memoryBytes)];
    problems.memory = trans.__('All together %1: this machine has %2.', needs, has);
  }
  return problems;
}

/** What it takes and whether that is free, in a sentence: until the server has said it itself. */
export function whatFits(
  values: FormValues,
  machine: IMachine | null,
  trans: IText
): string | null {
  const asked = askedFor(values, machine);
  if (!asked || !machine?.cpuMilli) {
    return null;
  }
  const { cores, memory } = leased(asked);
  const size = trans._n('%1 executor', '%1 executors', asked.executors);
  return `${fitWords(size, cores, machine, trans)} ${trans.__('%1 of memory, all together.', bytes(memory))}`;
}

/** A cell without its `%%spark` line; one of SQL as the Python that runs it. */
export function cellSource(source: string): string {
  const [, options] = /^\s*%%spark\b([^\n]*)/.exec(source) ?? [];
  const body = source.replace(/^\s*%%spark\b[^\n]*\n?/, '');
  if (options === undefined || !/--sql\b/.test(options)) {
    return body;
  }
  return `spark.sql(${JSON.stringify(body.trim())}).show()\n`;
}
