import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { KubeflowError } from '../../model/errors';
import type { IVersion, IVersionsPage } from './types';

const PAGE = 50;
const MOST = 500;

export interface IVersionQuery {
  archived: boolean;
  limit: number;
  before?: string;
}

/** The versions of one model, newest first: as many as were asked for, read again after each change. */
export class VersionFeed {
  constructor(private readonly _read: (query: IVersionQuery) => Promise<IVersionsPage>) {}

  get items(): readonly IVersion[] {
    return this._items;
  }

  get more(): boolean {
    return this._more;
  }

  get loaded(): boolean {
    return this._loaded;
  }

  get error(): KubeflowError | null {
    return this._error;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get(version: string): IVersion | undefined {
    return this._items.find(item => item.version === version);
  }

  /** Read what is shown again; of several at once the last one counts. */
  async refresh(): Promise<void> {
    this._round += 1;
    const round = this._round;
    const limit = Math.min(MOST, Math.max(PAGE, this._items.length));
    try {
      const page = await this._read({ archived: true, limit });
      if (round === this._round) {
        this._take(page.items, page.more);
      }
    } catch (error) {
      if (round === this._round) {
        this._loaded = true;
        this._error = KubeflowError.from(error);
        this._emit();
      }
    }
  }

  async loadMore(): Promise<void> {
    const last = this._items[this._items.length - 1];
    if (!last || !this._more) {
      return;
    }
    const round = this._round;
    const page = await this._read({ archived: true, limit: PAGE, before: last.version });
    if (round === this._round) {
      const known = new Set(this._items.map(item => item.version));
      const fresh = page.items.filter(item => !known.has(item.version));
      this._take([...this._items, ...fresh], page.more && fresh.length > 0);
    }
  }

  dispose(): void {
    this._round += 1;
    this._disposed = true;
    Signal.clearData(this);
  }

  private _take(items: readonly IVersion[], more: boolean): void {
    this._items = items;
    this._more = more;
    this._loaded = true;
    this._error = null;
    this._emit();
  }

  private _emit(): void {
    if (!this._disposed) {
      this._changed.emit();
    }
  }

  private _items: readonly IVersion[] = [];
  private _more = false;
  private _loaded = false;
  private _error: KubeflowError | null = null;
  private _round = 0;
  private _disposed = false;
  private _changed = new Signal<this, void>(this);
}
