import type { ICompareRow } from '../../model/comparison';
import type { Json, IWork, IWorkStatus } from '../../model/types';

export const MODEL = 'RegisteredModel';

export type RegistryState = 'LIVE' | 'ARCHIVED';

/** An endpoint that serves a version. */
export interface IServedBy {
  name: string;
  variant?: string | null;
  percent?: number | null;
}

/** A version as a row of a table. */
export interface IVersion {
  version: string;
  id: string;
  model: string;
  state: RegistryState;
  aliases: string[];
  author?: string;
  description?: string;
  created: string;
  updated?: string;
  format?: string;
  formatVersion?: string;
  /** Why reading its files may run code; null where it cannot. */
  danger?: string | null;
  /** Registered by this user from here, so that it is read without asking. */
  trusted?: boolean;
  uri?: string;
  digest?: string | null;
  bytes?: number | null;
  metrics?: Record<string, number>;
  parameters?: Record<string, Json>;
  properties?: Record<string, Json>;
  lineage?: Record<string, string>;
  endpoints?: IServedBy[];
}

export interface ITensor {
  name: string;
  datatype: string;
  shape: number[];
}

export interface ISignature {
  inputs?: ITensor[];
  outputs?: ITensor[];
}

/** A few rows of input, as they were recorded. */
export interface IExample {
  form: 'frame' | 'array' | 'mapping';
  columns?: string[];
  types?: Record<string, string>;
  type?: string;
  data: Json;
}

export interface IDataSet {
  name: string;
  uri?: string;
  digest?: string;
  type?: string;
  columns?: Record<string, string>;
  rows?: number;
}

/** Everything of one version. */
export interface IVersionDetail extends IVersion {
  signature?: ISignature | null;
  example?: IExample | null;
  packages?: Record<string, string>;
  data?: IDataSet[];
  files?: { name: string; size: number }[];
  code?: ICode;
}

export interface ICode {
  python?: string;
  magic?: string;
  cli?: string;
}

export interface IModelSpec {
  description?: string;
  owner?: string;
  readme?: string;
  state?: RegistryState;
  properties?: Record<string, Json>;
}

export interface IModelStatus extends IWorkStatus {
  updated?: string;
  aliases?: Record<string, string>;
  /** Live ones, and those put away. */
  versions?: number;
  archived?: number;
  latest?: IVersion | null;
  champion?: IVersion | null;
  endpoints?: (IServedBy & { version?: string })[];
  /** Versions that a search met. */
  matches?: string[];
}

export type IModel = IWork<IModelSpec, IModelStatus>;

export interface IVersionsPage {
  items: IVersion[];
  more: boolean;
}

export interface ILineageNode {
  id: string;
  kind: string;
  title: string;
  note?: string | null;
  /** A state of a run, or a word: `archived`, `serving`, `gone`. */
  state?: string | null;
  ref?: { kind: string; name: string; place?: { [key: string]: string } } | null;
}

export interface ILineage {
  nodes: ILineageNode[];
  edges: { source: string; target: string; label?: string }[];
}

export interface IVersionComparison {
  /** As `name:version`. */
  versions: string[];
  rows: ICompareRow[];
}

export interface ICard {
  /** What was written and what is known, as Markdown. */
  card: string;
  /** The part that people write. */
  readme: string;
}
