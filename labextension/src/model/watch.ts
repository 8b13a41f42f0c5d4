import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { KubeflowError } from './errors';
import { patchRun } from './patch';
import type { IRunWatch } from './resources';
import type { IResourceEvent, IRun } from './types';

/** Requests for one run are at least this far apart, in milliseconds. */
const SPACING = 200;

export interface IWatchServices {
  request<T>(path: string): Promise<T>;
  later(call: () => void, milliseconds: number): () => void;
  now(): number;
  closed(watch: RunWatch): void;
  read(run: IRun): void;
}

/** One run in full: events show at once, and the server's whole answer follows. */
export class RunWatch implements IRunWatch {
  constructor(
    readonly name: string,
    private readonly _services: IWatchServices
  ) {}

  get run(): IRun | null {
    return this._run;
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
      this._services.closed(this);
      Signal.clearData(this);
    }
  }

  apply(event: IResourceEvent): void {
    if (event.type === 'DELETED') {
      this._error = new KubeflowError('This run was deleted.', { status: 404 });
      this._emit();
      return;
    }
    const run = this._run;
    if (run && Number(event.resourceVersion) > Number(run.metadata.resourceVersion)) {
      this._run = patchRun(run, event, new Date(this._services.now()));
      this._emit();
      this._soon();
    }
  }

  async refresh(): Promise<void> {
    this._asked = this._services.now();
    try {
      const run = await this._services.request<IRun>(`runs/${encodeURIComponent(this.name)}`);
      const known = Number(this._run?.metadata.resourceVersion ?? 0);
      this._error = null;
      if (Number(run.metadata.resourceVersion) >= known) {
        this._run = run;
        this._services.read(run);
      } else {
        // An event overtook this answer: what it lacks comes with the next one.
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

  private _run: IRun | null = null;
  private _error: KubeflowError | null = null;
  private _asked = 0;
  private _disposed = false;
  private _cancel: (() => void) | null = null;
  private _changed = new Signal<this, void>(this);
}
