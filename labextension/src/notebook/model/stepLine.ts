import type { IStep } from '../../model/types';
import { setMagicName, setMagicOption } from './magic';

/** A step's settings as the `%%step` line that says them all. */
export function stepLine(step: IStep): string {
  const resources = step.resources ?? {};
  const gpus = Object.entries(resources).filter(([name]) => name.endsWith('/gpu'));
  const options: [string, string | number | null | undefined][] = [
    ['--after', (step.after ?? []).join(',')],
    ['--cpu', resources.cpu],
    ['--memory', resources.memory],
    ['--gpu', gpus.length ? gpus.reduce((sum, [, count]) => sum + Number(count), 0) : null],
    ['--image', step.image],
    ['--retry', step.retry],
    ['--timeout', step.timeout],
    ['--cache', step.cache === true ? 'on' : step.cache === false ? 'off' : null],
    ['--if', step.when],
    ['--for', step.foreach ? `${step.foreach.var} in ${step.foreach.expr}` : null],
    ['--collect', (step.collect ?? []).join(',')]
  ];
  return options
    .filter(([, value]) => Boolean(value))
    .reduce(
      (line, [flag, value]) => setMagicOption(line, flag, String(value)),
      setMagicName('%%step', step.name)
    );
}
