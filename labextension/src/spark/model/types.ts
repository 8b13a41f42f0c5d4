/** Spark as the server speaks of it: the Spark operator's resources, and what is ours in their status. */
import type { IFailure } from '../../model/failure';
import type { IWork, IWorkStatus } from '../../model/types';

export interface IPart {
  cores?: number;
  /** In Spark's own words: `512m`, `2g`. */
  memory?: string;
  instances?: number;
  env?: { name: string; value?: string }[];
}

/** `spec` of an application or a session as the published API has it; only what is read here. */
export interface ISparkSpec {
  type?: string;
  sparkVersion?: string;
  mainApplicationFile?: string;
  mainClass?: string;
  arguments?: string[];
  sparkConf?: Record<string, string>;
  hadoopConf?: Record<string, string>;
  deps?: Record<string, string[]>;
  /** A session calls its driver so. */
  server?: IPart;
  driver?: IPart;
  executor?: IPart;
  restartPolicy?: { type?: string; onFailureRetries?: number };
}

export type StageState = 'ACTIVE' | 'PENDING' | 'COMPLETE' | 'FAILED' | 'SKIPPED';

export interface IStage {
  id: number;
  /** From 0; a stage whose input was lost runs again. */
  attempt?: number;
  name: string;
  state: StageState | string;
  tasks: number;
  done: number;
  /** Attempts that failed; Spark tries a task several times. */
  failed: number;
  /** Tasks that run now. */
  active?: number;
  inputBytes?: number;
  shuffleBytes?: number;
  submittedAt?: string | null;
  completedAt?: string | null;
  reason?: string | null;
}

export interface IExecutor {
  id: string;
  state: string;
  cores?: number;
  /** Bytes that it keeps data in. */
  memory?: number;
  active?: number;
  done?: number;
  failed?: number;
  addedAt?: string | null;
  removedAt?: string | null;
  reason?: string | null;
}

export interface ISparkStatus extends IWorkStatus {
  /** Those that run, and the last that ended. */
  stages?: IStage[];
  stagesDone?: number;
  executors?: IExecutor[];
  executorState?: Record<string, string>;
  sparkApplicationId?: string;
  attempt?: number;
  error?: IFailure | null;
  /** What the function returned, in words. */
  result?: { type?: string; text?: string; lost?: string } | null;
}

export type ISpark = IWork<ISparkSpec, ISparkStatus>;

export interface IScheduledSpec {
  schedule: string;
  timeZone?: string;
  suspend?: boolean;
  concurrencyPolicy?: string;
  template?: ISparkSpec;
}

export interface IScheduledStatus extends IWorkStatus {
  lastRun?: string | null;
  nextRun?: string | null;
  lastRunName?: string | null;
}

export type IScheduled = IWork<IScheduledSpec, IScheduledStatus>;

export interface IEvent {
  type?: string;
  reason: string;
  message: string;
  time?: string | null;
}
