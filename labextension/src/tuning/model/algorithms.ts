/** Katib's search algorithms, and in a sentence what each is good for. */
import type { IText } from '../../model/text';

export interface IAlgorithmInfo {
  readonly name: string;
  readonly available?: boolean;
  readonly reason?: string | null;
  /** Name of each setting, with its kind or a word about it. */
  readonly settings?: unknown;
}

export const ALGORITHMS: readonly string[] = [
  'random',
  'tpe',
  'multivariate-tpe',
  'bayesianoptimization',
  'cmaes',
  'sobol',
  'grid',
  'hyperband',
  'pbt'
];

export function algorithmTitle(name: string, trans: IText): string {
  const titles: Record<string, string> = {
    random: trans.__('Random'),
    tpe: trans.__('TPE'),
    'multivariate-tpe': trans.__('Multivariate TPE'),
    bayesianoptimization: trans.__('Bayesian optimisation'),
    cmaes: trans.__('CMA-ES'),
    sobol: trans.__('Sobol'),
    grid: trans.__('Grid'),
    hyperband: trans.__('Hyperband'),
    pbt: trans.__('Population based training')
  };
  return titles[name] ?? name;
}

export function goodFor(name: string, trans: IText): string {
  const words: Record<string, string> = {
    random: trans.__('A fair start for any space, and as parallel as you like.'),
    tpe: trans.__('Learns from earlier trials. The usual choice from about 20 trials on.'),
    'multivariate-tpe': trans.__('As TPE, where parameters depend on each other.'),
    bayesianoptimization: trans.__('Few, long trials over a handful of numbers.'),
    cmaes: trans.__('Many trials over numbers only. No categories.'),
    sobol: trans.__('Covers the space more evenly than random; good for looking around.'),
    grid: trans.__('Every combination, for a few values each. Numbers need a step.'),
    hyperband: trans.__('Many short trials, few long ones. The function reports as it goes.'),
    pbt: trans.__('Changes parameters while it trains. The function saves checkpoints.')
  };
  return words[name] ?? '';
}
