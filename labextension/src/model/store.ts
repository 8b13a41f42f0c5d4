import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { KubeflowError } from './errors';
import type { IKind } from './kinds';
import { KINDS, pluralOf } from './kinds';
import { ResourceList } from './list';
import { patchRun, patchWork } from './patch';
import type { Connection, IResources, IResourceWatch, IRunWatch } from './resources';
import { isActive } from './states';
import type { IPage, IResourceEvent, IRun, ISchedule, IServerStatus, IWork } from './types';
import { ResourceWatch, RunWatch } from './watch';

/** How often the server is asked whether anything was missed, in milliseconds. */
const BEAT = 15_000;
const POLL = 3_000;
const RETRY = 1_000;
/** An event may be on its way while a list already tells of it. */
const GRACE = 600;
/** The kind of the event that tells of another cluster. */
const MOVED = 'Cluster';
const APART = new Set(KINDS.filter(({ apart }) => apart).map(({ kind }) => kind));
/** What was heard is compared with what there is at the first beat, and then at every so many. */
const CONFIRM = 4;

export interface IStoreServices {
  request<T>(path: string): Promise<T>;
  /** Calls back with each event of ours from the server's event bus. */
  events(call: (event: IResourceEvent) => void): IDisposable;
  later(call: () => void, milliseconds: number): () => void;
  now(): number;
  /** Whether nobody can see the page: then nothing is asked. */
  hidden(): boolean;
  /** What is wrong with the versions of page and server, or null. */
  handshake(status: IServerStatus): KubeflowError | null;
  /** In words, why the server cannot answer at all. */
  missing(error: KubeflowError): KubeflowError;
}

/** Everything live, in one place. Views read it and never ask the server for lists themselves. */
export class ResourceStore implements IResources, IDisposable {
  constructor(private readonly _services: IStoreServices) {
    const services = {
      request: <T>(path: string) => this._services.request<T>(path),
      later: this._services.later,
      hidden: this._services.hidden,
      answered: () => undefined as void
    };
    for (const { kind, plural } of KINDS) {
      const answered = (version: number) => {
        if (!this._isApart(kind)) {
          this._answered(version);
        }
      };
      this._lists.set(
        kind,
        new ResourceList<IWork>(plural, { ...services, answered }, this._patch)
      );
    }
    this.runs = this.list('Run') as ResourceList<IRun>;
    this.schedules = this.list('RecurringRun') as ResourceList<ISchedule>;
    this._nothing = new ResourceList<IWork>('', services, this._patch);
    this._subscription = this._services.events(event => this._onEvent(event));
  }

  readonly runs: ResourceList<IRun>;
  readonly schedules: ResourceList<ISchedule>;

  get connection(): Connection {
    return this._connection;
  }

  get status(): IServerStatus | null {
    return this._status;
  }

  get trouble(): KubeflowError | null {
    return this._trouble;
  }

  get updatedAt(): number {
    return this._updatedAt;
  }

  get connectionChanged(): ISignal<this, void> {
    return this._connectionChanged;
  }

  get heard(): ISignal<this, IResourceEvent> {
    return this._heard;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      this._cancelBeat?.();
      this._subscription.dispose();
      Signal.clearData(this);
    }
  }

  list(kind: string): ResourceList<IWork> {
    return this._lists.get(kind) ?? this._nothing;
  }

  watch(name: string): IRunWatch {
    return this._follow(new RunWatch('Run', name, 'runs', this._watching('Run')));
  }

  follow<T extends IWork>(kind: string, name: string): IResourceWatch<T> {
    return this._follow(new ResourceWatch<T>(kind, name, pluralOf(kind), this._watching<T>(kind)));
  }

  /** Read everything again; never rejects, the state of the connection tells. */
  async refresh(): Promise<void> {
    this._cancelBeat?.();
    this._cancelBeat = null;
    try {
      const status = await this._services.request<IServerStatus>('status');
      this._move(status);
      this._trouble = this._services.handshake(status);
      await this._read();
      this._failures = 0;
      this._setConnection(this._connection === 'polling' ? 'polling' : 'live');
    } catch (error) {
      this._fail(KubeflowError.from(error));
    }
    this._plan();
  }

  /** Called when the page is seen again, the network is back or the machine woke. */
  wake(): void {
    const quiet = this._services.now() - Math.max(this._updatedAt, this._heardAt);
    if (this._connection === 'away' || quiet > 10_000) {
      void this.refresh();
    } else {
      this._plan();
    }
  }

  private _follow<W extends ResourceWatch<IWork>>(watch: W): W {
    this._watches.add(watch);
    void watch.refresh();
    return watch;
  }

  private _watching<T extends IWork>(kind: string) {
    const list = this.list(kind);
    return {
      request: <R>(path: string) => this._services.request<R>(path),
      later: this._services.later,
      now: this._services.now,
      patch: (item: T, event: IResourceEvent) => this._patch(item, event) as T,
      closed: () => {
        this._watches.forEach(watch => watch.isDisposed && this._watches.delete(watch));
      },
      read: (item: T) => {
        if (list.get(item.metadata.name)) {
          list.accept(item);
        }
      }
    };
  }

  private _patch = (item: IWork, event: IResourceEvent): IWork => {
    const now = new Date(this._services.now());
    return event.kind === 'Run' ? patchRun(item as IRun, event, now) : patchWork(item, event, now);
  };

  private _onEvent(event: IResourceEvent): void {
    this._heardAt = this._services.now();
    if (event.kind === MOVED) {
      void this.refresh();
      return;
    }
    if (!this._isApart(event.kind)) {
      this._version = Math.max(this._version, Number(event.resourceVersion) || 0);
    }
    this._lists.get(event.kind)?.apply(event);
    this._watches.forEach(
      watch => watch.kind === event.kind && watch.name === event.name && watch.apply(event)
    );
    this._heard.emit(event);
    if (this._connection === 'polling') {
      this._setConnection('live');
    }
  }

  /** Whether it has a store of its own: always, or because it is read from a cluster now. */
  private _isApart(kind: string): boolean {
    return APART.has(kind) || Boolean(this._status?.cluster.kinds?.includes(kind));
  }

  /** Take over what the server says of itself. Lists that come from another place than before begin anew. */
  private _move(status: IServerStatus): void {
    const before = this._status;
    this._status = status;
    if (before) {
      KINDS.filter(({ kind }) => placeOf(before, kind) !== placeOf(status, kind)).forEach(
        ({ kind }) => this.list(kind).reset()
      );
      if (clusterOf(before) !== clusterOf(status)) {
        // With this machine's runs are listed those that a cluster's Kubeflow Pipelines has.
        this.runs.reset();
        this._version = this._readAt = 0;
      }
    }
  }

  private _answered(version: number): void {
    this._version = Math.max(this._version, version);
  }

  private _partial(error: unknown): void {
    const failure = KubeflowError.from(error);
    // With words of its own the server tells of one kind; without, it is a proxy that tells of the server.
    const worded = failure.options.what !== undefined;
    if (failure.status === 0 || (failure.status >= 502 && !worded)) {
      throw failure;
    }
  }

  private _fail(error: KubeflowError): void {
    this._failures += 1;
    if (error.status === 404 && !this._status) {
      this._trouble = this._services.missing(error);
    } else if (error.status !== 0 && error.status < 502) {
      this._trouble = error;
    }
    this._setConnection('away');
  }

  /** One timer at a time; none while hidden. */
  private _plan(): void {
    this._cancelBeat?.();
    this._cancelBeat = null;
    if (this._disposed || this._services.hidden()) {
      return;
    }
    const waits = {
      connecting: RETRY,
      live: BEAT,
      polling: this._busy ? POLL : BEAT,
      away: Math.min(BEAT, RETRY * 2 ** Math.min(6, this._failures - 1))
    };
    const wait = waits[this._connection];
    const planned = this._services.now() + wait;
    this._cancelBeat = this._services.later(() => {
      this._cancelBeat = null;
      const slept = this._services.now() - planned > 20_000;
      void (slept || this._connection === 'away' ? this.refresh() : this._beat());
    }, wait);
  }

  private get _busy(): boolean {
    return [...this._lists.values()].some(
      list => list !== this._lists.get('RecurringRun') && someActive(list.items.slice(0, 50))
    );
  }

  /** The lists beside the runs that this server can answer for. */
  private get _others(): ResourceList<IWork>[] {
    const has = this._status?.cluster.capabilities ?? {};
    const known = ({ kind, capability }: IKind) =>
      kind !== 'Run' && (!capability || Boolean(has[capability]?.available));
    return KINDS.filter(known).map(({ kind }) => this.list(kind));
  }

  private async _beat(): Promise<void> {
    try {
      const version = await this._versionOf('runs');
      if (version > this._version) {
        await new Promise<void>(resolve => this._services.later(resolve, GRACE));
      }
      this._beats += 1;
      // A later event hides that one before it was lost: so there is a look now and then all the same.
      const unsure = this._beats % CONFIRM === 1 && this._version > this._readAt;
      if (version > this._version || unsure) {
        await this._missed(version);
      }
      await this._beatApart();
    } catch (error) {
      this._fail(KubeflowError.from(error));
    }
    this._plan();
  }

  /** The same for each list with a store of its own. */
  private async _beatApart(): Promise<void> {
    const shown = this._others;
    const apart = KINDS.filter(({ kind }) => this._isApart(kind))
      .map(({ kind }) => this.list(kind))
      .filter(list => shown.includes(list));
    await Promise.all(
      apart.map(async list => {
        const newer = (version: number) => version > list.version;
        // What cannot be asked is read, so that the list itself says why not.
        const changed = list.error
          ? true
          : await this._versionOf(list.plural).then(newer, () => true);
        if (changed) {
          await list.refresh().catch(error => this._partial(error));
        }
      })
    );
  }

  private async _versionOf(plural: string): Promise<number> {
    const page = await this._services.request<IPage<IWork>>(`${plural}?limit=1`);
    return Number(page.resourceVersion) || 0;
  }

  /** Something happened that no event told: read it, and poll until events are heard again. */
  private async _missed(version: number): Promise<void> {
    const lists = [this.runs, ...this._others];
    const before = lists.map(list => signature(list.items)).join();
    await this._read();
    this._version = Math.max(this._version, version);
    const after = lists.map(list => signature(list.items)).join();
    if (before !== after) {
      this._setConnection('polling');
    }
  }

  private async _read(): Promise<void> {
    const at = this._version;
    await Promise.all([
      this.runs.refresh(),
      ...this._others.map(list => list.refresh().catch(error => this._partial(error))),
      ...[...this._watches].map(watch => watch.refresh())
    ]);
    // Not what was heard meanwhile: some of the answers may be older.
    this._readAt = Math.max(this._readAt, at);
    this._updatedAt = this._services.now();
  }

  private _setConnection(connection: Connection): void {
    this._connection = connection;
    this._connectionChanged.emit();
  }

  private _connection: Connection = 'connecting';
  private _status: IServerStatus | null = null;
  private _trouble: KubeflowError | null = null;
  private _updatedAt = 0;
  private _heardAt = 0;
  private _version = 0;
  /** The version at which everything was read last. */
  private _readAt = 0;
  private _beats = 0;
  private _failures = 0;
  private _disposed = false;
  private _cancelBeat: (() => void) | null = null;
  private _subscription: IDisposable;
  private _lists = new Map<string, ResourceList<IWork>>();
  private readonly _nothing: ResourceList<IWork>;
  private _watches = new Set<ResourceWatch<IWork>>();
  private _heard = new Signal<this, IResourceEvent>(this);
  private _connectionChanged = new Signal<this, void>(this);
}

function clusterOf({ cluster }: IServerStatus): string {
  return `${cluster.name}/${cluster.namespace}`;
}

/** Names where a kind is read from. */
function placeOf({ cluster }: IServerStatus, kind: string): string {
  return cluster.kinds?.includes(kind) ? `${cluster.name}/${cluster.namespace}` : '';
}

function someActive(items: readonly IWork[]): boolean {
  return items.some(item => item.status.phase && isActive(item.status.phase));
}

function signature(items: readonly { metadata: { name: string; resourceVersion: unknown } }[]) {
  return items.map(item => `${item.metadata.name}@${item.metadata.resourceVersion}`).join();
}
