import type { IMachine } from '../../model/machine';
import { fitWords } from '../../model/machine';
import { pairs } from '../../model/pairs';
import { parseCpu } from '../../model/quantities';
import type { IText } from '../../model/text';
import type { FormProblems, FormValues } from '../../model/typed';
import { mismatches, patterns, resources, said, seconds, text } from '../../model/typed';
import type { Json } from '../../model/types';

export { pairs };
export type { FormValues };

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
  register: '',
  checkpoint: false
};

const NAME = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;
const NODES = /^[1-9]\d{0,4}(:[1-9]\d{0,4})?$/;

/** What is wrong with what was typed, by field; what only the server knows it says itself. */
export function formProblems(values: FormValues, trans: IText): FormProblems {
  const { count, cores, memory, time, registered } = patterns(trans);
  const problems = mismatches(values, {
    name: [
      NAME,
      trans.__('Small letters, digits and dashes, at most 63, beginning with a letter.')
    ],
    nodes: [NODES, trans.__('A whole number, or MIN:MAX such as 1:4.')],
    procs: [/^[1-9]\d{0,4}$/, trans.__('A whole number above 0.')],
    restarts: count,
    gpu: count,
    cpu: cores,
    memory,
    deadline: time,
    register: registered
  });
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
export function incomplete(values: FormValues, trans: IText): string | null {
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
  const nodes = text(values, 'nodes');
  return said({
    path: file ? text(values, 'path') : '',
    function: file ? text(values, 'function') : '',
    source: file ? '' : String(values.source ?? ''),
    framework: text(values, 'framework'),
    name: text(values, 'name'),
    nodes: nodes.includes(':') ? nodes : Number(nodes) || '',
    procs: Number(text(values, 'procs')) || '',
    resources: resources(values),
    packages: text(values, 'packages')
      .split(/[\s,]+/)
      .filter(Boolean),
    args: pairs(String(values.args ?? '')).values,
    env: strings(pairs(String(values.env ?? '')).values),
    data: strings(pairs(String(values.data ?? '')).values),
    deadline: seconds(text(values, 'deadline')),
    restarts: Number(text(values, 'restarts')) || '',
    checkpoint: values.checkpoint === true || '',
    register: text(values, 'register')
  });
}

/** Of `2` or `1:4`, as many as it may take at once. */
export function mostNodes(values: FormValues): number {
  return Number(text(values, 'nodes').split(':').pop()) || 1;
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
  const nodes = mostNodes(values);
  const procs = Number(text(values, 'procs')) || 1;
  const each = text(values, 'cpu') ? parseCpu(text(values, 'cpu')) : null;
  if (each === null && text(values, 'cpu')) {
    return null;
  }
  const asked = each === null ? Math.min(nodes * procs * 1000, machine.cpuMilli) : nodes * each;
  const size = trans._n('%1 process', '%1 processes', nodes * procs);
  return fitWords(size, asked / 1000, machine, trans);
}

/** The source of a cell without its `%%train` line. */
export function cellSource(source: string): string {
  return source.replace(/^\s*%%train[^\n]*\n?/, '');
}
