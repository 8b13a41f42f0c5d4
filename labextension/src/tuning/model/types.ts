/** Experiments and their trials as the server speaks of them: Katib's fields, and what is ours. */
import type { IWork, IWorkStatus, RunState } from '../../model/types';

export type Scalar = string | number | boolean | null;

export type ParameterType = 'double' | 'int' | 'discrete' | 'categorical';

export type Distribution = 'uniform' | 'logUniform' | 'normal' | 'logNormal';

export interface IFeasibleSpace {
  min?: string;
  max?: string;
  step?: string;
  list?: string[];
  distribution?: Distribution;
}

export interface IParameterSpec {
  name: string;
  parameterType: ParameterType;
  feasibleSpace: IFeasibleSpace;
}

export interface IObjective {
  type: 'minimize' | 'maximize';
  objectiveMetricName: string;
  goal?: number | null;
  additionalMetricNames?: string[];
}

export interface IAlgorithm {
  algorithmName: string;
  algorithmSettings?: { name: string; value: string }[];
}

export interface IExperimentSpec {
  displayName?: string;
  objective: IObjective;
  algorithm: IAlgorithm;
  parameters: IParameterSpec[];
  earlyStopping?: IAlgorithm | null;
  parallelTrialCount?: number;
  maxTrialCount?: number;
  maxFailedTrialCount?: number;
  resumePolicy?: string;
}

export interface IBest {
  trial: string;
  value: number;
  parameters: Record<string, Scalar>;
  number?: number;
}

export interface IExperimentStatus extends IWorkStatus {
  best?: IBest | null;
  parallel?: number | null;
  trials?: number;
  trialsPending?: number;
  trialsRunning?: number;
  trialsSucceeded?: number;
  trialsFailed?: number;
  trialsKilled?: number;
  trialsEarlyStopped?: number;
  trialMetricsUnavailable?: number;
}

export type IExperiment = IWork<IExperimentSpec, IExperimentStatus>;

/** One trial as the table has it; the resource has more. */
export interface ITrial {
  name: string;
  number: number;
  state: RunState;
  reason?: string;
  value?: number | null;
  parameters: Record<string, Scalar>;
  metrics?: Record<string, number>;
  seconds?: number | null;
  startTime?: string | null;
  pruned?: boolean;
}

export interface ITrialPage {
  items: ITrial[];
  total: number;
  resourceVersion: number | string;
}

/** A curve of one trial. */
export interface ICurve {
  trial: string;
  number: number;
  state: RunState;
  /** Step (or null), seconds since 1970, value. */
  points: [step: number | null, time: number, value: number][];
}
