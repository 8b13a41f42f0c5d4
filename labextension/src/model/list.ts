import type { IDisposable } from '@lumino/disposable';
import { DisposableDelegate } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { KubeflowError } from './errors';
import type { IListChange, IResourceList } from './resources';
import type { IPage, IResource, IResourceEvent } from './types';

/** What a list needs from outside; tests give their own. */
export interface IListServices {
  request<T>(path: string): Promise<T>;
  /** Run later, once; returns how to take it back. */
  later(call: () => void, milliseconds: number): () => void;
  /** Whether nobody can see the page. */
  hidden(): boolean;
  /** Tell that an answer came, with the resource version it was true at. */
  answered(version: number): void;
}

const PAGE = 50;
const LIMIT = 500;
/** Above this many changed resources one list is cheaper than single requests. */
const SINGLES = 6;
/** What an event does not say (metrics, time left) is at most this old in a row, in milliseconds. */
const STALE = 4_000;
/** A frame: what changes together is drawn together. */
const FRAME = 16;

/** The resources of one kind, patched by events at once and corrected by the server right after. */
export class ResourceList<T extends IResource> implements IResourceList<T> {
  constructor(
    readonly plural: string,
    private readonly _services: IListServices,
    private readonly _patch: (item: T, event: IResourceEvent) => T
  ) {}

  get items(): readonly T[] {
    return this._items;
  }

  get loaded(): boolean {
    return this._loaded;
  }

  get more(): boolean {
    return this._more;
  }

  get error(): KubeflowError | null {
    return this._error;
  }

  get changed(): ISignal<this, IListChange> {
    return this._changed;
  }

  get(name: string): T | undefined {
    return this._byName.get(name);
  }

  subscribe(name: string, callback: () => void): IDisposable {
    const calls = this._subscribers.get(name) ?? new Set();
    this._subscribers.set(name, calls.add(callback));
    return new DisposableDelegate(() => {
      calls.delete(callback);
      if (!calls.size && this._subscribers.get(name) === calls) {
        this._subscribers.delete(name);
      }
    });
  }

  async refresh(): Promise<void> {
    const limit = Math.min(LIMIT, Math.max(PAGE, this._items.length));
    try {
      const page = await this._services.request<IPage<T>>(`${this.plural}?limit=${limit}`);
      this._error = null;
      this._replace(page.items);
      this._more = page.more;
      this._services.answered(Number(page.resourceVersion) || 0);
    } catch (error) {
      this._error = KubeflowError.from(error);
      this._mark([], true);
      throw error;
    } finally {
      this._loaded = true;
    }
  }

  async loadMore(): Promise<void> {
    const last = this._items[this._items.length - 1];
    if (!last || !this._more || this._loadingMore) {
      return;
    }
    this._loadingMore = true;
    try {
      const before = encodeURIComponent(last.metadata.name);
      const page = await this._services.request<IPage<T>>(
        `${this.plural}?limit=${PAGE}&before=${before}`
      );
      const fresh = page.items.filter(item => !this._byName.has(item.metadata.name));
      this._more = page.more && fresh.length > 0;
      this._set([...this._items, ...fresh]);
      this._mark(
        fresh.map(item => item.metadata.name),
        true
      );
    } finally {
      this._loadingMore = false;
    }
  }

  /** Show what an event says now; ask the server for the rest. */
  apply(event: IResourceEvent): void {
    const old = this._byName.get(event.name);
    if (event.type === 'DELETED') {
      if (old) {
        this._set(this._items.filter(item => item !== old));
        this._mark([event.name], true);
      }
      return;
    }
    if (!old) {
      this._ask(event.name);
    } else if (Number(event.resourceVersion) > Number(old.metadata.resourceVersion)) {
      const next = this._patch(old, event);
      this._put(next);
      if (next.status.phase !== old.status.phase) {
        this._ask(event.name);
      } else if (!event.steps) {
        this._freshen(event.name);
      }
    }
  }

  /** Take over what was read elsewhere (a created or watched resource). */
  accept(item: T): void {
    const old = this._byName.get(item.metadata.name);
    if (old && Number(old.metadata.resourceVersion) > Number(item.metadata.resourceVersion)) {
      return;
    }
    if (old) {
      this._put(item);
      return;
    }
    const at = this._items.findIndex(other => created(other) <= created(item));
    if (at < 0 && this._more) {
      return;
    }
    const items = [...this._items];
    items.splice(at < 0 ? items.length : at, 0, item);
    this._set(items);
    this._mark([item.metadata.name], true);
  }

  remove(name: string): void {
    this._set(this._items.filter(item => item.metadata.name !== name));
    this._mark([name], true);
  }

  private _replace(items: readonly T[]): void {
    const names = new Set<string>();
    const merged = items.map(item => {
      const old = this._byName.get(item.metadata.name);
      if (old && !this._dirty.has(item.metadata.name) && sameVersion(old, item)) {
        return old;
      }
      names.add(item.metadata.name);
      return item;
    });
    const order =
      merged.length !== this._items.length ||
      merged.some((item, i) => item.metadata.name !== this._items[i].metadata.name);
    this._dirty.clear();
    this._set(merged);
    if (order || names.size || !this._loaded) {
      this._mark(names, order || !this._loaded);
    }
  }

  private _put(next: T): void {
    const name = next.metadata.name;
    this._byName.set(name, next);
    this._items = this._items.map(item => (item.metadata.name === name ? next : item));
    this._mark([name], false);
  }

  private _set(items: T[]): void {
    this._items = items;
    this._byName = new Map(items.map(item => [item.metadata.name, item]));
  }

  /** Events of a run tell of its steps; others say little, and come once a second while it works. */
  private _freshen(name: string): void {
    this._dirty.add(name);
    if (!this._stale.has(name)) {
      this._stale.add(name);
      this._services.later(() => {
        this._stale.delete(name);
        if (this._dirty.has(name) && !this._services.hidden()) {
          this._ask(name);
        }
      }, STALE);
    }
  }

  private _ask(name: string): void {
    this._wanted.add(name);
    this._dirty.add(name);
    this._cancelAsk ??= this._services.later(() => {
      this._cancelAsk = null;
      const names = [...this._wanted];
      this._wanted.clear();
      void this._fetch(names);
    }, 40);
  }

  private async _fetch(names: string[]): Promise<void> {
    try {
      if (names.length > SINGLES) {
        await this.refresh();
        return;
      }
      const path = (name: string) => `${this.plural}/${encodeURIComponent(name)}`;
      const found = await Promise.all(names.map(name => this._services.request<T>(path(name))));
      found.forEach(item => {
        this._dirty.delete(item.metadata.name);
        this.accept(item);
      });
    } catch {
      // The next beat notices that something is missing and reads the list.
    }
  }

  private _mark(names: Iterable<string>, order: boolean): void {
    for (const name of names) {
      this._pending.add(name);
    }
    this._order ||= order;
    this._cancelFlush ??= this._services.later(() => this._flush(), FRAME);
  }

  private _flush(): void {
    this._cancelFlush = null;
    const change = { names: this._pending, order: this._order };
    this._pending = new Set();
    this._order = false;
    for (const name of change.names) {
      this._subscribers.get(name)?.forEach(call => call());
    }
    this._changed.emit(change);
  }

  private _items: T[] = [];
  private _byName = new Map<string, T>();
  private _loaded = false;
  private _more = false;
  private _loadingMore = false;
  private _error: KubeflowError | null = null;
  private _pending = new Set<string>();
  private _order = false;
  /** Shown from an event, not yet read from the server: equal versions do not mean equal content. */
  private _dirty = new Set<string>();
  private _stale = new Set<string>();
  private _wanted = new Set<string>();
  private _cancelFlush: (() => void) | null = null;
  private _cancelAsk: (() => void) | null = null;
  private _subscribers = new Map<string, Set<() => void>>();
  private _changed = new Signal<this, IListChange>(this);
}

function created(item: IResource): string {
  return item.metadata.creationTimestamp ?? '';
}

function sameVersion(left: IResource, right: IResource): boolean {
  return Number(left.metadata.resourceVersion) === Number(right.metadata.resourceVersion);
}
