import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { KubeflowError } from '../../model/errors';
import { TrialList } from './trials';
import type { ITrialPage } from './types';

/** Trials per request: 10,000 of them come in five. */
const PAGE = 2000;
/** Increments are at least this far apart, in milliseconds. */
const SPACING = 250;

export interface ITrialQuery {
  limit: number;
  sort: 'number';
  /** Number of the last trial read. */
  after?: number;
  /** Only what changed after this resource version. */
  since?: number;
}

export interface IFeedServices {
  trials(query: ITrialQuery): Promise<ITrialPage>;
  later(call: () => void, milliseconds: number): () => void;
  now(): number;
}

/** All trials of an experiment: read once in pages, then only what changed. */
export class TrialFeed implements IDisposable {
  constructor(private readonly _services: IFeedServices) {}

  readonly list = new TrialList();

  /** Whether all trials were read once. */
  get loaded(): boolean {
    return this._loaded;
  }

  /** How many there are on the server, as far as known. */
  get total(): number {
    return Math.max(this._total, this.list.items.length);
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
      Signal.clearData(this);
    }
  }

  /** Something changed: read it soon; calls that come close together are one request. */
  poke(): void {
    if (this._disposed || this._cancel) {
      return;
    }
    const wait = Math.max(0, this._readAt + SPACING - this._services.now());
    this._cancel = this._services.later(() => {
      this._cancel = null;
      void this.refresh();
    }, wait);
  }

  /** Read what is missing; one at a time, and once more if asked meanwhile. */
  async refresh(): Promise<void> {
    if (this._reading) {
      this._again = true;
      return;
    }
    this._reading = true;
    this._readAt = this._services.now();
    try {
      await (this._loaded ? this._increment() : this._all());
      this._error = null;
    } catch (error) {
      this._error = KubeflowError.from(error);
    } finally {
      this._reading = false;
    }
    this._emit();
    if (this._again) {
      this._again = false;
      this.poke();
    }
  }

  private async _all(): Promise<void> {
    let version: number | null = null;
    for (;;) {
      const after = this._last();
      const query: ITrialQuery = { limit: PAGE, sort: 'number' };
      const page = await this._services.trials(after === null ? query : { ...query, after });
      // What changes while the pages come is read again by the first increment.
      version ??= Number(page.resourceVersion);
      this._total = page.total;
      this.list.merge(page.items);
      if (page.items.length < PAGE || this._disposed) {
        break;
      }
      this._emit();
    }
    this._since = version ?? 0;
    this._loaded = true;
  }

  private async _increment(): Promise<void> {
    for (;;) {
      const page = await this._services.trials({ limit: PAGE, sort: 'number', since: this._since });
      this._total = page.total;
      this.list.merge(page.items);
      const stuck = Number(page.resourceVersion) === this._since;
      this._since = Number(page.resourceVersion);
      if (page.items.length < PAGE || stuck || this._disposed) {
        return;
      }
    }
  }

  private _last(): number | null {
    const { items } = this.list;
    return items.length ? items[items.length - 1].number : null;
  }

  private _emit(): void {
    if (!this._disposed) {
      this._changed.emit();
    }
  }

  private _loaded = false;
  private _total = 0;
  private _since = 0;
  private _readAt = -Infinity;
  private _reading = false;
  private _again = false;
  private _error: KubeflowError | null = null;
  private _disposed = false;
  private _cancel: (() => void) | null = null;
  private _changed = new Signal<this, void>(this);
}
