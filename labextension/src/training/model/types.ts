import type { IFailure } from '../../model/failure';
import type { IWork, IWorkStatus, RunState } from '../../model/types';

/** `spec` as the published API has it; only what is read here. */
export interface ITrainSpec {
  runtimeRef?: { name?: string };
  suspend?: boolean;
  activeDeadlineSeconds?: number;
  trainer?: {
    image?: string;
    command?: string[];
    args?: string[];
    numNodes?: number;
    numProcPerNode?: number | string;
    env?: { name: string; value?: string }[];
    resourcesPerNode?: IResourcesPerNode;
  };
}

export interface IResourcesPerNode {
  requests?: Record<string, string | number>;
  limits?: Record<string, string | number>;
}

export interface IRank {
  rank: number;
  /** Name of its log: `rank-0`. */
  part?: string;
  node?: number;
  role?: string;
  state: RunState | string;
  reason?: string;
  pid?: number | null;
  /** Where it is a pod of a cluster. */
  pod?: string;
  attempt?: number;
  startedAt?: string | null;
  finishedAt?: string | null;
  seconds?: number | null;
}

export interface IJobError extends IFailure {
  rank?: number | null;
}

export interface ITrainerStatus {
  progressPercentage?: number | null;
  estimatedRemainingSeconds?: number | null;
  metrics?: { name: string; value: string | number }[] | null;
}

export interface ITrainStatus extends IWorkStatus {
  trainerStatus?: ITrainerStatus | null;
  ranks?: IRank[];
  error?: IJobError | null;
  attempt?: number;
  restarts?: number;
}

export type ITrainJob = IWork<ITrainSpec, ITrainStatus>;

/** One page of points: `[step, time, value]`, times in seconds since 1970. */
export interface ICurvesPage {
  cursor: number;
  series: { name: string; rank: number; points: [number | null, number, number | null][] }[];
}
