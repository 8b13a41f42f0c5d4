import type { IDisposable } from '@lumino/disposable';
import { DisposableDelegate } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { KubeflowError } from '../../model/errors';
import type { Choices, IFormState, IServer, IServersPanel } from './types';

/** How often the Hub is asked, in milliseconds: while something changes, while somebody looks, and for warnings. */
export const PACE = { changing: 1_500, looking: 5_000, warning: 60_000 } as const;
/** A Hub that does not answer is asked ever more seldom, down to this. */
const SLOWEST = 60_000;

export interface IServersServices {
  request<T>(path: string, body?: object): Promise<T>;
  later(call: () => void, milliseconds: number): () => void;
  now(): number;
  /** Whether nobody can see the page: then nothing is asked. */
  hidden(): boolean;
}

/** The user's servers, asked of the Hub for as long as somebody wants to know; one question for all who do. */
export class ServersFeed {
  constructor(private readonly _services: IServersServices) {}

  get panel(): IServersPanel | null {
    return this._panel;
  }

  /** Why the last question got no answer; what was known before is kept. */
  get error(): KubeflowError | null {
    return this._error;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The one that this page belongs to. */
  get current(): IServer | undefined {
    return this._panel?.servers.find(server => server.isCurrent);
  }

  get(name: string): IServer | undefined {
    return this._panel?.servers.find(server => server.name === name);
  }

  /** Why the last thing that was asked of a server failed, or why it did not start. */
  problem(name: string): KubeflowError | null {
    return this._problems.get(name) ?? null;
  }

  forget(name: string): void {
    if (this._problems.delete(name)) {
      this._emit();
    }
  }

  /** Keep asking at least so often, until disposed. */
  watch(pace: number): IDisposable {
    const key = {};
    this._paces.set(key, pace);
    this.wake();
    return new DisposableDelegate(() => {
      this._paces.delete(key);
      this._plan();
    });
  }

  /** Somebody looks again: what is old is asked at once. */
  wake(): void {
    if (this._paces.size && this._services.now() - this._asked >= this._pace()) {
      void this.refresh();
    } else {
      this._plan();
    }
  }

  /** Ask now; an answer that was overtaken by a later question counts for nothing. */
  async refresh(): Promise<void> {
    this._cancel?.();
    this._cancel = null;
    this._round += 1;
    const round = this._round;
    this._asked = this._services.now();
    try {
      const failed = [...this._failed];
      const query = failed.length ? `?why=${failed.map(encodeURIComponent).join()}` : '';
      const panel = await this._services.request<IServersPanel>(`servers${query}`);
      if (round === this._round) {
        this._take(panel, failed);
      }
    } catch (error) {
      if (round === this._round) {
        this._error = KubeflowError.from(error);
        this._misses += 1;
      }
    }
    if (round === this._round) {
      this._emit();
      this._plan();
    }
  }

  start(name: string, options?: Choices): Promise<boolean> {
    this._stopped.delete(name);
    return this._do(name, 'start', { name, ...(options && { options }) });
  }

  stop(name: string): Promise<boolean> {
    this._stopped.add(name);
    return this._do(name, 'stop', { name });
  }

  keep(name: string): Promise<boolean> {
    return this._do(name, 'keep', { name });
  }

  /** Rejects with the reason, which the form shows at its field. */
  async resize(name: string, options: Choices): Promise<void> {
    await this._services.request('servers:resize', { name, options });
    this._chosen.set(name, options);
    await this.refresh();
  }

  /** What can be chosen for it now, judged over these choices. */
  form(name: string, options: Choices): Promise<IFormState> {
    return this._services.request<IFormState>('servers:form', { name, options });
  }

  dispose(): void {
    this._round += 1;
    this._paces.clear();
    this._cancel?.();
    Signal.clearData(this);
  }

  private async _do(name: string, verb: string, body: object): Promise<boolean> {
    this._problems.delete(name);
    this._acting += 1;
    this._emit();
    // What it does shows while it is done: a start may be answered only when the server is up.
    const soon = this._services.later(() => void this.refresh(), 300);
    try {
      await this._services.request(`servers:${verb}`, body);
      return true;
    } catch (error) {
      // A start that somebody gave up did not fail, whatever the Hub answers.
      if (verb !== 'start' || !this._stopped.has(name)) {
        this._problems.set(name, KubeflowError.from(error));
      }
      return false;
    } finally {
      soon();
      this._acting -= 1;
      await this.refresh();
    }
  }

  private _take(panel: IServersPanel, failed: readonly string[]): void {
    for (const server of panel.servers) {
      const before = this.get(server.name)?.state;
      if (server.state !== 'stopped') {
        this._failed.delete(server.name);
        if (before === 'stopped') {
          this._problems.delete(server.name);
          this._stopped.delete(server.name);
        }
      } else if (failed.includes(server.name)) {
        this._failed.delete(server.name);
        if (server.words && !this._problems.has(server.name)) {
          this._problems.set(server.name, new KubeflowError(server.words));
        }
      } else if (before === 'starting' && !this._stopped.has(server.name)) {
        // It failed, or somebody else gave it up: the Hub knows.
        this._failed.add(server.name);
      }
    }
    this._panel = { ...panel, servers: panel.servers.map(server => this._withChosen(server)) };
    this._error = null;
    this._misses = 0;
  }

  /** JupyterHub tells the choices of the last start until the next one, whatever was chosen since. */
  private _withChosen(server: IServer): IServer {
    const options = this._chosen.get(server.name);
    if (options && server.state === 'stopped') {
      return { ...server, options };
    }
    this._chosen.delete(server.name);
    return server;
  }

  private _pace(): number {
    if (this._acting || this._failed.size) {
      return PACE.changing;
    }
    const wanted = Math.min(...this._paces.values());
    const changes = this._panel?.servers.some(
      ({ state }) => state.endsWith('ing') && state !== 'running'
    );
    const pace = changes && wanted <= PACE.looking ? PACE.changing : wanted;
    return this._misses
      ? Math.max(wanted, Math.min(SLOWEST, PACE.looking * 2 ** this._misses))
      : pace;
  }

  private _plan(): void {
    this._cancel?.();
    this._cancel = null;
    if (!this._paces.size || this._services.hidden()) {
      return;
    }
    const wait = Math.max(0, this._asked + this._pace() - this._services.now());
    this._cancel = this._services.later(() => {
      this._cancel = null;
      if (!this._services.hidden()) {
        void this.refresh();
      }
    }, wait);
  }

  private _emit(): void {
    this._changed.emit();
  }

  private _panel: IServersPanel | null = null;
  private _error: KubeflowError | null = null;
  private _asked = -Infinity;
  private _round = 0;
  private _misses = 0;
  private _acting = 0;
  private _cancel: (() => void) | null = null;
  private readonly _paces = new Map<object, number>();
  private readonly _problems = new Map<string, KubeflowError>();
  /** Choices for the next start of a stopped server. */
  private readonly _chosen = new Map<string, Choices>();
  /** Starts that came to nothing and whose reason is to be asked. */
  private readonly _failed = new Set<string>();
  /** Those that somebody here has stopped. */
  private readonly _stopped = new Set<string>();
  private _changed = new Signal<this, void>(this);
}
