/** What all pictures of an experiment share: its axes, what is chosen, and which trial is the best. */
import type { IAxis } from './axes';
import { axesOf, OBJECTIVE } from './axes';
import type { Brush } from './brush';
import { brushed } from './brush';
import { better, bestTrial, isNumber, trialState } from './trials';
import type { IExperiment, IObjective, IParameterSpec, ITrial } from './types';

export interface IScene {
  readonly experiment: IExperiment;
  readonly objective: IObjective;
  readonly trials: readonly ITrial[];
  /** Those that lie in the brush; all without one. */
  readonly chosen: readonly ITrial[];
  readonly axes: readonly IAxis[];
  readonly brush: Brush;
  readonly passed: ReadonlySet<string> | null;
  readonly best: ITrial | null;
}

export function sceneOf(experiment: IExperiment, trials: readonly ITrial[], brush: Brush): IScene {
  const { objective } = experiment.spec;
  const axes = axesOf(parametersOf(experiment, trials), objective, trials);
  const passed = brushed(brush, axes, trials);
  return {
    experiment,
    objective,
    trials,
    chosen: passed ? trials.filter(trial => passed.has(trial.name)) : trials,
    axes,
    brush,
    passed,
    best: bestTrial(trials, objective)
  };
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

/** How good each trial is among all: 1 for the best, 0 for the worst; those without a value are absent. */
export function ranks(scene: IScene): ReadonlyMap<string, number> {
  const valued = scene.trials.filter(trial => isNumber(trial.value));
  valued.sort((left, right) =>
    left.value === right.value ? 0 : better(scene.objective, left.value!, right.value!) ? 1 : -1
  );
  const last = Math.max(1, valued.length - 1);
  return new Map(
    valued.map((trial, index) => [trial.name, valued.length === 1 ? 1 : index / last])
  );
}

/** Every trial that has a value and is over, or is on its way. */
export function shown(trial: ITrial): boolean {
  return isNumber(trial.value) && trialState(trial) !== 'failed';
}
