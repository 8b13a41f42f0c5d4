/** The JSON that the server speaks. Cells and lines count from 1, as everywhere on screen. */

export type RunState =
  'PENDING' | 'RUNNING' | 'SUCCEEDED' | 'SKIPPED' | 'FAILED' | 'CANCELING' | 'CANCELED' | 'PAUSED';

/** A value that came as JSON and is shown, not interpreted. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface IWhere {
  cell?: number | null;
  cellId?: string | null;
  line?: number | null;
  field?: string | null;
  object?: string | null;
}

export interface IMetadata {
  name: string;
  namespace?: string;
  uid: string;
  resourceVersion: number | string;
  creationTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: { uid: string; kind?: string; name?: string }[];
}

export interface IResource<S = object, T extends IStatus = IStatus> {
  apiVersion?: string;
  kind: string;
  metadata: IMetadata;
  spec: S;
  status: T;
}

export interface IStatus {
  phase?: RunState;
  reason?: string;
}

/** What the status of everything that runs has, whatever its kind. */
export interface IWorkStatus extends IStatus {
  startTime?: string | null;
  completionTime?: string | null;
  seconds?: number | null;
  /** 0 to 1; nothing where it is not known. */
  progress?: number | null;
  metrics?: Record<string, number>;
}

export type IWork<S = object, T extends IWorkStatus = IWorkStatus> = IResource<S, T>;

/** What a step leaves behind: one group of names that share objects is one stored value. */
export interface IValueRef {
  names: string[];
  digest?: string;
  serializer?: string;
  types?: Record<string, string>;
  bytes?: number;
  summary?: Record<string, string>;
  previewDigest?: string | null;
  /** Small values themselves, by name. */
  inline?: Record<string, Json> | null;
}

export interface IStepError {
  type?: string;
  message: string;
  step?: string;
  cell?: number | null;
  cellId?: string | null;
  line?: number | null;
  traceback?: string[];
  locals?: Record<string, string>;
  hint?: string | null;
}

export interface ICacheInfo {
  key?: string;
  from?: string | null;
  differs?: string[];
  text?: string;
}

export interface IArtifact {
  name: string;
  type?: string;
  mime?: string;
  digest?: string;
  cell?: number | null;
}

export interface IStepStatus {
  name: string;
  title?: string;
  state: RunState;
  reason?: string;
  attempt?: number;
  queuedAt?: string | null;
  startedAt?: string | null;
  finishedAt?: string | null;
  seconds?: number | null;
  cached?: boolean;
  cache?: ICacheInfo | null;
  outputs?: IValueRef[];
  outputsDigest?: string | null;
  metrics?: Record<string, number>;
  artifacts?: IArtifact[];
  error?: IStepError | null;
  resources?: {
    asked?: Record<string, string | number>;
    used?: { cpuSeconds?: number; maxRss?: number };
  } | null;
  parent?: string | null;
  /** What an iteration goes over, short. */
  item?: string;
  /** What a task of a compiled pipeline was given: parameters and artifacts. */
  inputDigest?: string;
  log?: string | null;
  /** Steps found while running that this one needs too. */
  edgesAdded?: string[];
  /** Which step each value came from, by name. */
  used?: Record<string, string>;
  /** Values that could not be stored, by name. */
  live?: Record<string, { type?: string; reason?: string; cell?: number | null }>;
  deleted?: string[];
}

export interface IEnvironment {
  python?: string;
  platform?: string;
  packages?: Record<string, string>;
  user?: string;
  git?: { commit?: string; dirty?: boolean; branch?: string } | null;
}

export interface IRunSpec {
  displayName?: string;
  /** `format` says what it was made from where that is no notebook. */
  pipeline: { name: string; path?: string; digest?: string; graph?: IPipeline; format?: string };
  parameters?: Record<string, Json>;
  options?: { from?: string | null; only?: string | null; cache?: boolean };
  trigger?: string;
  resumes?: string | null;
  environment?: IEnvironment;
  place?: IPlace;
}

/** Of what a server elsewhere keeps: `kfp` for Kubeflow Pipelines. */
export interface IPlace {
  kind: string;
  server?: string;
}

export interface IRunStatus extends IWorkStatus {
  steps?: IStepStatus[];
  error?: IStepError | null;
  criticalPath?: string[];
  outputsDigest?: string | null;
  environment?: IEnvironment;
}

export type IRun = IResource<IRunSpec, IRunStatus>;

export interface IScheduleSpec {
  displayName?: string;
  description?: string;
  path: string;
  cron: string;
  /** Seconds between two starts, where there is no expression. */
  every?: string | number | null;
  place?: IPlace;
  timezone?: string | null;
  parameters?: Record<string, Json>;
  enabled?: boolean;
  maxConcurrency?: number;
  catchup?: boolean;
}

export interface IScheduleStatus extends IStatus {
  lastRun?: string | null;
  nextTime?: string | null;
}

export type ISchedule = IResource<IScheduleSpec, IScheduleStatus>;

export interface ICell {
  index: number;
  id: string;
  source: string;
  tags?: string[];
  cellType?: string;
}

export interface IEffect {
  kind: string;
  mode: 'r' | 'w';
  detail: string;
}

export interface IStep {
  name: string;
  title?: string;
  kind?: 'setup' | 'step';
  cells: ICell[];
  reads: string[];
  writes: string[];
  mutates?: string[];
  mayWrite?: string[];
  deletes?: string[];
  effects?: IEffect[];
  after?: string[] | null;
  declared?: boolean;
  resources?: Record<string, string>;
  image?: string | null;
  retry?: number;
  timeout?: number | null;
  cache?: boolean | null;
  when?: string | null;
  foreach?: { var: string; expr: string; parallel?: boolean } | null;
  collect?: string[];
  env?: Record<string, string>;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

export interface IEdge {
  source: string;
  target: string;
  names?: string[];
  kind?: 'data' | 'declared' | 'order';
  reason?: string;
}

export interface IFix {
  action: string;
  from?: string;
  to?: string;
  tag?: string;
  with?: string;
  [key: string]: string | undefined;
}

export interface IProblem {
  severity: 'error' | 'warning' | 'info';
  code: string;
  message: string;
  cell?: number | null;
  cellId?: string | null;
  line?: number | null;
  column?: number | null;
  step?: string | null;
  remedy?: string;
  fix?: IFix | null;
}

export interface IParameter {
  name: string;
  type: 'int' | 'float' | 'str' | 'bool' | 'list' | 'dict';
  default: Json;
  cell: number;
  line: number;
}

export interface IPipeline {
  name: string;
  title?: string;
  path?: string;
  grammar?: 'tags' | 'magic' | 'headings' | 'cells';
  order?: 'declared' | 'notebook';
  steps: IStep[];
  edges: IEdge[];
  parameters?: IParameter[];
  metrics?: string[];
  preload?: string[];
  problems?: IProblem[];
  metadata?: Record<string, Json>;
}

export interface ICapability {
  available: boolean;
  reason?: string | null;
}

export interface IServerStatus {
  version: string;
  cluster: {
    name?: string;
    kind?: string;
    namespace?: string;
    profile?: string;
    /** Those that are read from a cluster, not from this machine. */
    kinds?: string[];
    /** Why it is this one. */
    reason?: string;
    capabilities?: Record<string, ICapability>;
  };
  machine?: {
    cpuMilli?: number;
    memoryBytes?: number;
    /** What is not lent now. */
    free?: { cpuMilli?: number; memoryBytes?: number };
    gpus?: { uuid?: string; index?: number; name?: string; memory?: number }[];
  } | null;
  health?: string | { ok?: boolean; state?: string; reason?: string; problems?: string[] } | null;
}

export interface IPage<T> {
  items: T[];
  resourceVersion: number | string;
  more: boolean;
  /** Why this is not all there is, in a sentence. */
  notice?: string;
}

/** What the event bus says about one resource. */
export interface IResourceEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  kind: string;
  name: string;
  uid: string;
  resourceVersion: number | string;
  phase?: RunState;
  reason?: string;
  steps?: Record<string, RunState> | null;
  progress?: number | null;
}
