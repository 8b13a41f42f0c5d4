/** The axes of an experiment's pictures: one per parameter, and one for the objective. */
import type { AxisValue, IScale } from '../../chart/scales';
import { category, extent, linear, log } from '../../chart/scales';
import type { IObjective, IParameterSpec, ITrial } from './types';
import { isNumber } from './trials';

export interface IAxis {
  /** Parameter's name, or `OBJECTIVE`. */
  readonly id: string;
  readonly label: string;
  readonly scale: IScale;
  read(trial: ITrial): AxisValue;
}

export const OBJECTIVE = ' objective';

/** A span this large is read better by its powers of ten. */
const WIDE = 1000;

export function parameterAxis(parameter: IParameterSpec, trials: readonly ITrial[]): IAxis {
  const { name } = parameter;
  const read = (trial: ITrial) => trial.parameters[name];
  return { id: name, label: name, scale: parameterScale(parameter, trials), read };
}

function parameterScale(parameter: IParameterSpec, trials: readonly ITrial[]): IScale {
  const { feasibleSpace: space, parameterType: type, name } = parameter;
  if (type === 'categorical' || type === 'discrete') {
    const listed = space.list ?? [];
    if (type === 'discrete' && listed.length > 12 && listed.every(item => isFinite(Number(item)))) {
      const range = extent(listed.map(Number));
      return range ? linear(...range) : category(listed);
    }
    const seen = trials.map(trial => trial.parameters[name]).filter(given => given !== undefined);
    return category(merged(listed, seen.map(String)));
  }
  const seen = extent(trials.map(trial => asNumber(trial.parameters[name])));
  const normal = space.distribution === 'normal' || space.distribution === 'logNormal';
  const declared: [number, number] = [Number(space.min), Number(space.max)];
  const usable = !normal && space.min !== undefined && space.max !== undefined;
  const [low, high] = (usable && declared.every(isNumber) ? declared : seen) ?? [0, 1];
  const logarithmic = space.distribution === 'logUniform' || space.distribution === 'logNormal';
  return logarithmic && low > 0 ? log(low, high) : linear(low, high, type === 'int');
}

/** `1` and `1.0`, or `true` and `True`, are one category. */
function merged(listed: readonly string[], seen: readonly string[]): string[] {
  const fold = (name: string) => (isFinite(Number(name)) && name ? String(Number(name)) : name);
  return [...new Set([...listed, ...seen].map(fold))];
}

function asNumber(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}

export function objectiveAxis(objective: IObjective, trials: readonly ITrial[]): IAxis {
  const range = extent(trials.map(trial => trial.value)) ?? [0, 1];
  return {
    id: OBJECTIVE,
    label: objective.objectiveMetricName,
    scale: valueScale(...range),
    read: trial => trial.value
  };
}

/** Linear, or logarithmic where a linear axis would press all but a few against its end. */
export function valueScale(low: number, high: number): IScale {
  return low > 0 && high / low >= WIDE ? log(low, high) : linear(low, high);
}

export function axesOf(
  parameters: readonly IParameterSpec[],
  objective: IObjective,
  trials: readonly ITrial[]
): IAxis[] {
  return [
    ...parameters.map(parameter => parameterAxis(parameter, trials)),
    objectiveAxis(objective, trials)
  ];
}
