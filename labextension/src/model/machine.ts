/** What this machine has and has left, beside what a form asks of it. */
import { bytes } from '../format';
import { parseCpu, parseMemory } from './quantities';
import type { IText } from './text';
import type { FormValues } from './typed';
import { text } from './typed';
import type { IServerStatus } from './types';

export type IMachine = NonNullable<IServerStatus['machine']>;

/** What is free now, to stand under the fields that ask for it; the server knows it of no single GPU. */
export function roomWords(
  machine: IMachine | null,
  trans: IText
): { cpu?: string; memory?: string; gpu?: string } {
  const { cpuMilli, memoryBytes, free, gpus } = machine ?? {};
  const names = [...new Set(gpus?.map(gpu => gpu.name).filter(Boolean))].join(', ');
  return {
    ...(cpuMilli &&
      free?.cpuMilli !== undefined && {
        cpu: trans.__('%1 of %2 are free now.', free.cpuMilli / 1000, cpuMilli / 1000)
      }),
    ...(memoryBytes &&
      free?.memoryBytes !== undefined && {
        memory: trans.__('%1 of %2 are free now.', bytes(free.memoryBytes), bytes(memoryBytes))
      }),
    ...(gpus?.length && {
      gpu: trans.__('This machine has %1: %2.', gpus.length, names)
    })
  };
}

/** Why no GPU can be asked for, or null; one that was typed already is not hidden by it. */
export function withoutGpu(
  values: FormValues,
  machine: IMachine | null,
  trans: IText
): string | null {
  return machine?.gpus?.length === 0 && !text(values, 'gpu')
    ? trans.__('This machine has no GPU.')
    : null;
}

/** Why it can never be had here, by field; `times` as much as was typed is taken at once. */
export function neverFits(
  values: FormValues,
  times: number,
  machine: IMachine | null,
  trans: IText
): Record<string, string> {
  const problems: Record<string, string> = {};
  const { cpuMilli, memoryBytes, gpus } = machine ?? {};
  const cpu = times * (parseCpu(text(values, 'cpu')) ?? 0);
  if (cpuMilli && cpu > cpuMilli) {
    const [asked, has] = [cpu / 1000, cpuMilli / 1000];
    problems.cpu = trans.__('%1 cores cannot be had: this machine has %2.', asked, has);
  }
  const memory = times * (parseMemory(text(values, 'memory')) ?? 0);
  if (memoryBytes && memory > memoryBytes) {
    const [asked, has] = [bytes(memory), bytes(memoryBytes)];
    problems.memory = trans.__('%1 cannot be had: this machine has %2.', asked, has);
  }
  const gpu = times * (Number(text(values, 'gpu')) || 0);
  if (gpus && gpu > gpus.length) {
    problems.gpu = gpus.length
      ? trans.__('%1 GPUs cannot be had: this machine has %2.', gpu, gpus.length)
      : trans.__('This machine has no GPU.');
  }
  return problems;
}

/** Whether so many cores fit on the machine, in a sentence; `size` is what takes them. */
export function fitWords(size: string, cores: number, machine: IMachine, trans: IText): string {
  const has = (machine.cpuMilli ?? 0) / 1000;
  const free = (machine.free?.cpuMilli ?? machine.cpuMilli ?? 0) / 1000;
  if (cores > has) {
    return trans.__('%1 on %2 cores: this machine has %3. It will be refused.', size, cores, has);
  }
  return cores > free
    ? trans.__('%1 on %2 cores: %3 of %4 are free now. It will wait.', size, cores, free, has)
    : trans.__('%1 on %2 of %3 cores of this machine.', size, cores, has);
}
