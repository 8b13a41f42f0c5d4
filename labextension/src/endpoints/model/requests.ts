import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { KubeflowError } from '../../model/errors';
import type { ILogged, IRequestPage } from './types';

/** Requests in one answer. */
const PAGE = 100;
/** Kept at most; older ones are read again when somebody scrolls there. */
const MOST = 20_000;

export interface IRequestFilter {
  readonly variant: string;
  readonly failed: boolean;
  readonly search: string;
}

export const ALL_REQUESTS: IRequestFilter = { variant: '', failed: false, search: '' };

export interface IRequestServices {
  read(query: object): Promise<IRequestPage>;
}

/** The request log, newest first. What came meanwhile waits until it is asked for: rows never jump. */
export class RequestFeed {
  constructor(private readonly _services: IRequestServices) {}

  get items(): readonly ILogged[] {
    return this._items;
  }

  /** Newer ones that wait above. */
  get waiting(): number {
    return this._waiting.length;
  }

  /** The newest page was full of unknown ones: there are more than are counted. */
  get waitingMore(): boolean {
    return this._gap;
  }

  get more(): boolean {
    return this._next !== null;
  }

  get loaded(): boolean {
    return this._loaded;
  }

  get error(): KubeflowError | null {
    return this._error;
  }

  get filter(): IRequestFilter {
    return this._filter;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Start over with another filter; what is shown stays until the answer is there. */
  setFilter(filter: IRequestFilter): Promise<void> {
    this._filter = filter;
    this._round += 1;
    this._loaded = false;
    return this.poll();
  }

  /** Look for newer ones. Those of the first answer are shown at once, others wait, unless `show`. */
  async poll(show = false): Promise<void> {
    const page = await this._ask(undefined);
    if (!page) {
      return;
    }
    const known = new Set(this._items.map(({ id }) => id));
    const fresh = page.items.filter(({ id }) => !known.has(id));
    if (!this._loaded || !this._items.length || show) {
      const gap = fresh.length === page.items.length;
      this._items = !this._loaded || gap ? page.items : [...fresh, ...this._items];
      this._next = !this._loaded || gap ? (page.next ?? null) : this._next;
      this._waiting = [];
      this._gap = false;
    } else {
      this._waiting = fresh;
      this._gap = fresh.length === page.items.length && fresh.length > 0 && this._items.length > 0;
    }
    this._items = this._items.slice(0, MOST);
    this._loaded = true;
    this._changed.emit();
  }

  /** Show those that wait. */
  async showNew(): Promise<void> {
    if (this._gap) {
      return this.poll(true);
    }
    this._items = [...this._waiting, ...this._items];
    this._waiting = [];
    this._changed.emit();
  }

  async loadMore(): Promise<void> {
    if (this._next === null || this._loadingMore) {
      return;
    }
    this._loadingMore = true;
    const page = await this._ask(this._next);
    this._loadingMore = false;
    if (page) {
      const known = new Set(this._items.map(({ id }) => id));
      this._items = [...this._items, ...page.items.filter(({ id }) => !known.has(id))];
      this._next = this._items.length < MOST ? (page.next ?? null) : null;
      this._changed.emit();
    }
  }

  /** One page, or null if it failed or another filter was set meanwhile. */
  private async _ask(before: string | number | undefined): Promise<IRequestPage | null> {
    const round = this._round;
    const { variant, failed, search } = this._filter;
    try {
      const page = await this._services.read({
        limit: PAGE,
        ...(before === undefined ? {} : { before }),
        ...(variant && { variant }),
        ...(failed && { failed }),
        ...(search.trim() && { search: search.trim() })
      });
      if (round !== this._round) {
        return null;
      }
      this._error = null;
      return page;
    } catch (error) {
      if (round === this._round) {
        this._error = KubeflowError.from(error);
        this._changed.emit();
      }
      return null;
    }
  }

  private _items: readonly ILogged[] = [];
  private _waiting: readonly ILogged[] = [];
  private _gap = false;
  private _next: string | number | null = null;
  private _filter = ALL_REQUESTS;
  private _round = 0;
  private _loaded = false;
  private _loadingMore = false;
  private _error: KubeflowError | null = null;
  private _changed = new Signal<this, void>(this);
}
