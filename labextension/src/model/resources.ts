import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';

import type { KubeflowError } from './errors';
import type { IResource, IResourceEvent, IRun, ISchedule, IServerStatus, IWork } from './types';

/** Whether what is shown is true now. `polling` means that events are missing and lists are asked for. */
export type Connection = 'connecting' | 'live' | 'polling' | 'away';

export interface IListChange {
  /** Names of resources that changed, came or went. */
  names: ReadonlySet<string>;
  /** Whether membership or order changed too. */
  order: boolean;
}

/** Newest first. Objects are replaced, never changed, so `===` tells whether something is new. */
export interface IResourceList<T extends IResource = IResource> {
  readonly plural: string;
  readonly items: readonly T[];
  readonly loaded: boolean;
  readonly more: boolean;
  readonly error: KubeflowError | null;
  /** Why the items are not all there are, in a sentence; empty where they are. */
  readonly notice: string;
  readonly changed: ISignal<IResourceList<T>, IListChange>;
  get(name: string): T | undefined;
  /** Called when that one resource changed; much cheaper than `changed` for a row. */
  subscribe(name: string, callback: () => void): IDisposable;
  refresh(): Promise<void>;
  loadMore(): Promise<void>;
  /** Let `get` know items beyond those loaded. */
  lend(items: readonly T[]): void;
}

/** One resource in full, kept up to date while somebody looks at it. */
export interface IResourceWatch<T extends IResource = IResource> extends IDisposable {
  readonly kind: string;
  readonly name: string;
  readonly item: T | null;
  readonly error: KubeflowError | null;
  readonly changed: ISignal<IResourceWatch<T>, void>;
  refresh(): Promise<void>;
}

export interface IRunWatch extends IResourceWatch<IRun> {
  readonly run: IRun | null;
}

/** Runs, and whether what is shown of them is true: all that a notebook's views need. */
export interface IRunResources {
  readonly runs: IResourceList<IRun>;
  readonly schedules: IResourceList<ISchedule>;
  readonly connection: Connection;
  readonly status: IServerStatus | null;
  /** Why there is no usable server, in words, or null. */
  readonly trouble: KubeflowError | null;
  /** When the lists were last known to be true, in milliseconds; 0 before the first answer. */
  readonly updatedAt: number;
  readonly connectionChanged: ISignal<IRunResources, void>;
  /** Follow one run in full; dispose the watch when it is no longer looked at. */
  watch(name: string): IRunWatch;
  refresh(): Promise<void>;
}

export interface IResources extends IRunResources {
  /** Every event of the server, as it came, also of kinds that have no list. */
  readonly heard: ISignal<IResources, IResourceEvent>;
  /** The live list of a kind; empty for a kind that the server does not have. */
  list(kind: string): IResourceList<IWork>;
  /** Follow one resource of any kind in full. */
  follow<T extends IWork>(kind: string, name: string): IResourceWatch<T>;
}
