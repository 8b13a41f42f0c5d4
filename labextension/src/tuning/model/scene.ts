/** What all pictures of an experiment share: its axes, what is chosen, and which trial is the best. */
import type { IAxis } from './axes';
import { axesOf, OBJECTIVE } from './axes';
import type { Brush } from './brush';
import { brushed } from './brush';
import { bestTrial, isNumber, trialState } from './trials';
import type { IExperiment, IObjective, IParameterSpec, ITrial } from './types';

/** What does not depend on the ranges that were chosen. */
export interface IBase {
  readonly experiment: IExperiment;
  readonly objective: IObjective;
  readonly trials: readonly ITrial[];
  readonly axes: readonly IAxis[];
  readonly best: ITrial | null;
  /** How good each trial is among all: 1 for the best, 0 for the worst; absent without a value. */
  readonly ranks: ReadonlyMap<string, number>;
}

export interface IScene extends IBase {
  /** Those that lie in the brush; all without one. */
  readonly chosen: readonly ITrial[];
  readonly brush: Brush;
  readonly passed: ReadonlySet<string> | null;
}

export function baseOf(experiment: IExperiment, trials: readonly ITrial[]): IBase {
  const { objective } = experiment.spec;
  return {
    experiment,
    objective,
    trials,
    axes: axesOf(parametersOf(experiment, trials), objective, trials),
    best: bestTrial(trials, objective),
    ranks: ranksOf(trials, objective)
  };
}

export function withBrush(base: IBase, brush: Brush): IScene {
  const passed = brushed(brush, base.axes, base.trials);
  const chosen = passed ? base.trials.filter(trial => passed.has(trial.name)) : base.trials;
  return { ...base, brush, passed, chosen };
}

/** As declared; an experiment that declares none (an architecture search) shows what its trials have. */
function parametersOf(experiment: IExperiment, trials: readonly ITrial[]): IParameterSpec[] {
  const declared = experiment.spec.parameters ?? [];
  if (declared.length || !trials.length) {
    return declared;
  }
  return Object.entries(trials[0].parameters).map(([name, value]): IParameterSpec => ({
    name,
    parameterType: typeof value === 'number' ? 'double' : 'categorical',
    feasibleSpace: {}
  }));
}

export function parameterAxes(scene: IScene): readonly IAxis[] {
  return scene.axes.filter(axis => axis.id !== OBJECTIVE);
}

export function valueAxis(scene: IScene): IAxis {
  return scene.axes.find(axis => axis.id === OBJECTIVE)!;
}

function ranksOf(trials: readonly ITrial[], objective: IObjective): ReadonlyMap<string, number> {
  const valued = trials.filter(trial => isNumber(trial.value));
  const sign = objective.type === 'minimize' ? 1 : -1;
  valued.sort((left, right) => sign * (right.value! - left.value!));
  const last = valued.length - 1;
  return new Map(valued.map((trial, index) => [trial.name, last > 0 ? index / last : 1]));
}

/** Every trial that has a value and is over, or is on its way. */
export function shown(trial: ITrial): boolean {
  return isNumber(trial.value) && trialState(trial) !== 'failed';
}
