import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { KubeflowError } from './errors';
import { Heard, versionOf } from './heard';
import type { IResourceWatch, IRunWatch } from './resources';
import type { IResource, IResourceEvent, IRun } from './types';

/** Requests for one resource are at least this far apart, in milliseconds. */
const SPACING = 200;

export interface IWatchServices<T extends IResource> {
  request<R>(path: string): Promise<R>;
  later(call: () => void, milliseconds: number): () => void;
  now(): number;
  patch(item: T, event: IResourceEvent): T;
  closed(): void;
  read(item: T): void;
}

/** One resource in full: events show at once, and the server's whole answer follows. */
export class ResourceWatch<T extends IResource> implements IResourceWatch<T> {
  constructor(
    readonly kind: string,
    readonly name: string,
    private readonly _plural: string,
    private readonly _services: IWatchServices<T>
  ) {}

  get item(): T | null {
    return this._item;
  }

  get error(): KubeflowError | null {
    return this._error;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      this._cancel?.();
      this._services.closed();
      Signal.clearData(this);
    }
  }

  apply(event: IResourceEvent): void {
    this._heard.note(event);
    if (event.type === 'DELETED') {
      this._error = new KubeflowError('This was deleted.', { status: 404 });
      this._emit();
      return;
    }
    const item = this._item;
    if (item && Number(event.resourceVersion) > versionOf(item)) {
      this._item = this._services.patch(item, event);
      this._emit();
      this._soon();
    }
  }

  async refresh(): Promise<void> {
    this._asked = this._services.now();
    const known = this._heard.version(this.name);
    try {
      const path = `${this._plural}/${encodeURIComponent(this.name)}`;
      const item = await this._services.request<T>(path);
      if (this._heard.isGone(item)) {
        return;
      }
      this._error = null;
      if (versionOf(item) >= versionOf(this._item)) {
        this._item = item;
        this._services.read(item);
      }
      const told = this._heard.version(this.name);
      if (told > known && versionOf(item) < told) {
        // An event overtook this answer, perhaps the very first one: what it lacks comes with the next.
        this._soon();
      }
    } catch (error) {
      this._error = KubeflowError.from(error);
    }
    this._emit();
  }

  private _soon(): void {
    const wait = Math.max(0, this._asked + SPACING - this._services.now());
    this._cancel ??= this._services.later(() => {
      this._cancel = null;
      void this.refresh();
    }, wait);
  }

  private _emit(): void {
    if (!this._disposed) {
      this._changed.emit();
    }
  }

  private readonly _heard = new Heard();
  private _item: T | null = null;
  private _error: KubeflowError | null = null;
  private _asked = 0;
  private _disposed = false;
  private _cancel: (() => void) | null = null;
  private _changed = new Signal<this, void>(this);
}

export class RunWatch extends ResourceWatch<IRun> implements IRunWatch {
  get run(): IRun | null {
    return this.item;
  }
}
