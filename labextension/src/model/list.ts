import type { IDisposable } from '@lumino/disposable';
import { DisposableDelegate } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { KubeflowError } from './errors';
import { Heard, versionOf } from './heard';
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

  get notice(): string {
    return this._notice;
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
      const version = Number(page.resourceVersion) || 0;
      this._error = null;
      const notice = page.notice ?? '';
      if (notice !== this._notice) {
        this._notice = notice;
        this._mark([], true);
      }
      this._replace(page.items, version);
      this._more = page.more;
      this._version = Math.max(this._version, version);
      this._services.answered(version);
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
      const fresh = page.items.filter(
        item => !this._inList(item.metadata.name) && !this._heard.isGone(item)
      );
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

  /** What was known is of another cluster: names and versions mean nothing any more. */
  reset(): void {
    this._heard = new Heard();
    this._version = 0;
    this._lent.clear();
    this._dirty.clear();
    this._wanted.clear();
    const names = this._items.map(item => item.metadata.name);
    this._set([]);
    this._loaded = this._more = false;
    this._error = null;
    this._notice = '';
    this._mark(names, true);
  }

  /** The store is known to have been at this version, from an answer or an event. */
  get version(): number {
    return Math.max(this._version, this._heard.newest);
  }

  /** Show what an event says now; ask the server for the rest. */
  apply(event: IResourceEvent): void {
    this._heard.note(event);
    const old = this._byName.get(event.name);
    const newer = Number(event.resourceVersion) > versionOf(old);
    if (event.type === 'DELETED') {
      if (old && (newer || old.metadata.uid === event.uid)) {
        this.remove(event.name);
      }
    } else if (!old || (newer && old.metadata.uid !== event.uid)) {
      this._ask(event.name);
    } else if (newer) {
      const next = this._patch(old, event);
      this._put(next);
      // What has no phase says nothing in its events but that it changed.
      if (next.status.phase !== old.status.phase || !next.status.phase) {
        this._ask(event.name);
      } else if (!event.steps) {
        this._freshen(event.name);
      }
    }
  }

  /** Take over what was read elsewhere (a created or watched resource). */
  accept(item: T): void {
    const old = this._byName.get(item.metadata.name);
    if (this._heard.isGone(item) || (old && versionOf(old) > versionOf(item))) {
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

  /** Keep what a search found beyond the loaded pages: `get` and events know it, `items` does not. */
  lend(items: readonly T[]): void {
    for (const item of items) {
      const { name } = item.metadata;
      if (this._inList(name)) {
        this.accept(item);
      } else if (!this._heard.isGone(item) && versionOf(this._lent.get(name)) <= versionOf(item)) {
        this._lent.set(name, item);
        this._byName.set(name, item);
        this._mark([name], false);
      }
    }
  }

  remove(name: string): void {
    this._lent.delete(name);
    this._set(this._items.filter(item => item.metadata.name !== name));
    this._mark([name], true);
  }

  private _inList(name: string): boolean {
    return this._byName.has(name) && !this._lent.has(name);
  }

  /** Take an answer that was true at a version, except where an event told of something later. */
  private _replace(answer: readonly T[], version: number): void {
    const names = new Set<string>();
    const overtaken = new Set<string>();
    const merged = answer
      .filter(item => !this._heard.isGone(item))
      .map(item => {
        const { name } = item.metadata;
        const old = this._byName.get(name);
        if (old && versionOf(old) > versionOf(item)) {
          overtaken.add(name);
          return old;
        }
        if (old && !this._dirty.has(name) && sameVersion(old, item)) {
          return old;
        }
        names.add(name);
        return item;
      });
    const all = this._withLater(merged, version);
    const order =
      all.length !== this._items.length ||
      all.some((item, i) => item.metadata.name !== this._items[i].metadata.name);
    this._dirty.clear();
    this._set(all);
    overtaken.forEach(name => this._ask(name));
    if (order || names.size || !this._loaded) {
      this._mark(names, order || !this._loaded);
    }
  }

  /** What was made after the answer is not in it, and stays. */
  private _withLater(answer: readonly T[], version: number): T[] {
    const told = new Set(answer.map(item => item.metadata.name));
    const later = this._items.filter(
      item => version && !told.has(item.metadata.name) && versionOf(item) > version
    );
    const order = (a: T, b: T) => Number(created(a) < created(b)) - Number(created(a) > created(b));
    return later.length ? [...later, ...answer].sort(order) : [...answer];
  }

  private _put(next: T): void {
    const name = next.metadata.name;
    this._byName.set(name, next);
    if (this._lent.has(name)) {
      this._lent.set(name, next);
    }
    this._items = this._items.map(item => (item.metadata.name === name ? next : item));
    this._mark([name], false);
  }

  private _set(items: T[]): void {
    this._items = items;
    this._byName = new Map(items.map(item => [item.metadata.name, item]));
    for (const [name, item] of this._lent) {
      if (this._byName.has(name)) {
        this._lent.delete(name);
      } else {
        this._byName.set(name, item);
      }
    }
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
    if (names.length > SINGLES) {
      // The next beat notices that something is missing and reads the list.
      await this.refresh().catch(() => undefined);
      return;
    }
    await Promise.all(names.map(name => this._fetchOne(name)));
  }

  /** One that is gone already takes nothing from the others. */
  private async _fetchOne(name: string): Promise<void> {
    try {
      const item = await this._services.request<T>(`${this.plural}/${encodeURIComponent(name)}`);
      this._dirty.delete(name);
      this.accept(item);
    } catch (error) {
      if (KubeflowError.from(error).status === 404 && this._byName.has(name)) {
        this.remove(name);
      }
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

  private _heard = new Heard();
  private _version = 0;
  private _items: T[] = [];
  /** Beyond the loaded pages, but known. */
  private _lent = new Map<string, T>();
  private _byName = new Map<string, T>();
  private _loaded = false;
  private _more = false;
  private _loadingMore = false;
  private _error: KubeflowError | null = null;
  private _notice = '';
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
  return versionOf(left) === versionOf(right);
}
