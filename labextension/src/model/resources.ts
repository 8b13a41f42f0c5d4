import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';

import type { KubeflowError } from './errors';
import type { IResource, IRun, ISchedule, IServerStatus } from './types';

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
  readonly changed: ISignal<IResourceList<T>, IListChange>;
  get(name: string): T | undefined;
  /** Called when that one resource changed; much cheaper than `changed` for a row. */
  subscribe(name: string, callback: () => void): IDisposable;
  refresh(): Promise<void>;
  loadMore(): Promise<void>;
}

/** One run in full, kept up to date while somebody looks at it. */
export interface IRunWatch extends IDisposable {
  readonly name: string;
  readonly run: IRun | null;
  readonly error: KubeflowError | null;
  readonly changed: ISignal<IRunWatch, void>;
  refresh(): Promise<void>;
}

export interface IResources {
  readonly runs: IResourceList<IRun>;
  readonly schedules: IResourceList<ISchedule>;
  readonly connection: Connection;
  readonly status: IServerStatus | null;
  /** Why there is no usable server, in words, or null. */
  readonly trouble: KubeflowError | null;
  /** When the lists were last known to be true, in milliseconds; 0 before the first answer. */
  readonly updatedAt: number;
  readonly connectionChanged: ISignal<IResources, void>;
  /** Follow one run in full; dispose the watch when it is no longer looked at. */
  watch(name: string): IRunWatch;
  refresh(): Promise<void>;
}
