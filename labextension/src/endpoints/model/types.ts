/** Endpoints as the server speaks of them: KServe's InferenceService, and what is ours in its status. */
import type { ICode } from '../../model/code';
import type { IDraft, IDraftProblem } from '../../model/draft';
import type { IWork, IWorkStatus, Json } from '../../model/types';

export type VariantState = 'loading' | 'ready' | 'failed' | 'asleep' | 'retired';

export interface IVariant {
  name: string;
  percent: number;
  model?: string | null;
  version?: string | null;
  state: VariantState | string;
  reason?: string | null;
  /** How many serve. */
  replicas?: number | null;
  /** How many are asked for. */
  wanted?: number | null;
  restarts?: number;
  digest?: string;
  /** Serves only until a change is ready. */
  leaving?: boolean;
  error?: { type?: string; message?: string; traceback?: string } | null;
}

/** Why a model could not be loaded, as upstream says it. */
export interface IFailure {
  location?: string;
  reason?: string;
  message?: string;
  exitCode?: number | null;
  time?: string;
}

export interface IRevision {
  number: number;
  time: string;
  what: string;
  by?: string | null;
  why?: string | null;
  traffic?: Record<string, number>;
  current?: boolean;
}

export interface IRule {
  text: string;
  state?: string;
  value?: number | string | null;
  reason?: string | null;
}

export interface IEndpointStatus extends IWorkStatus {
  url?: string | null;
  address?: { url?: string | null } | null;
  variants?: IVariant[];
  routing?: { sticky?: string | null; mirror?: IMirror | null; asleep?: boolean } | null;
  revisions?: IRevision[];
  /** Number of the revision in force: not the newest while a change is not ready. */
  servingRevision?: number | null;
  rules?: IRule[];
  modelStatus?: { transitionStatus?: string; lastFailureInfo?: IFailure | null } | null;
}

export interface IMirror {
  variant: string;
  percent: number;
}

export type IEndpoint = IWork<Record<string, Json>, IEndpointStatus>;

export interface IComparedVariant {
  variant: string;
  requests: number;
  errors?: number;
  errorRate?: number | null;
  p50?: number | null;
  p95?: number | null;
  p99?: number | null;
  outcome?: { name?: string; n: number; mean: number | null } | null;
}

export interface IDifference {
  variant: string;
  against: string;
  metric: string;
  estimate: number | null;
  interval: [number, number] | null;
  significant?: boolean;
  /** Of the estimate: `s`, `share`, or nothing. */
  unit?: string;
  better?: boolean | null;
  text?: string;
}

/** What `compare` answers. Seconds, and shares from 0 to 1. */
export interface IVerdict {
  rows: IComparedVariant[];
  differences: IDifference[];
  verdict: string;
  metric?: string | null;
  metrics?: string[];
  enough?: boolean;
}

export interface IDrift {
  feature: string;
  kind?: 'input' | 'output';
  level: 'none' | 'some' | 'much' | 'unknown';
  psi?: number | null;
  ks?: number | null;
  words?: string;
}

export interface IDriftAnswer {
  items: IDrift[];
  requests?: number;
  level?: IDrift['level'];
  words?: string;
}

export interface ILogged {
  id: string;
  /** ISO 8601, or seconds since 1970. */
  time: string | number;
  variant: string;
  path?: string;
  status: number;
  seconds: number | null;
  error?: string | null;
}

export interface ILoggedBodies extends ILogged {
  request?: Json;
  response?: Json;
  requestText?: string | null;
  responseText?: string | null;
  columns?: Record<string, Json[]> | null;
}

export interface IRequestPage {
  items: ILogged[];
  /** Where the next page begins; null at the end. */
  next?: string | number | null;
  more?: boolean;
}

export interface IReplay {
  summary: string;
  same: number;
  different: number;
  failed: number;
  skipped?: number;
  rows: {
    id: string;
    result: 'same' | 'different' | 'failed' | 'skipped';
    seconds?: number | null;
    secondsBefore?: number | null;
    status?: number | null;
    words?: string;
  }[];
}

export interface IAnswer {
  status: number;
  seconds?: number | null;
  requestId?: string | null;
  variant?: string | null;
  body: Json;
}

export interface IExample {
  instances?: Json;
  inputs?: Json;
  columns?: string[] | null;
  signature?: Json;
  /** False: made up from the signature. */
  recorded?: boolean;
}

/** What `code` answers; none of it holds a token. */
export interface IEndpointCode extends ICode {
  url?: string | null;
  curl?: string | null;
  client?: string | null;
  /** The same through this library. */
  ours?: string | null;
}

export interface IRuleProblem extends IDraftProblem {
  index?: number | null;
  position?: number | null;
}

/** What would come of it, for forms. */
export interface IEndpointDraft extends IDraft {
  /** A sentence, or only whether it does. */
  fits?: string | boolean | null;
  magic?: string;
  cli?: string;
  yaml?: string | null;
}
