import type { IDisposable } from '@lumino/disposable';
import { DisposableDelegate } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { KubeflowError } from '../model/errors';
import type { IPage } from './page';
import { isBroken } from './page';

/** Requests for the page are at least this far apart, in milliseconds. */
export const SPACING = 800;
/** No event tells that a GPU fell idle: with GPUs the page is read again so often. */
export const MEASURED = 15_000;

export interface IHomeServices {
  request(): Promise<IPage>;
  later(call: () => void, milliseconds: number): () => void;
  now(): number;
}

/** The page, read again when an event says that something changed, for as long as somebody looks. */
export class HomeFeed {
  constructor(private readonly _services: IHomeServices) {}

  get page(): IPage | null {
    return this._page;
  }

  /** Why the last question got no answer; what was known before is kept. */
  get error(): KubeflowError | null {
    return this._error;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Keep it true until disposed; nothing is asked while nobody does. */
  watch(): IDisposable {
    this._watchers += 1;
    this.stir();
    return new DisposableDelegate(() => {
      this._watchers -= 1;
      if (!this._watchers) {
        this._cancel?.();
        this._cancel = null;
      }
    });
  }

  /** Something changed: read at once, or as soon as the last reading is long enough ago. */
  stir(): void {
    if (!this._watchers) {
      return;
    }
    if (this._asking) {
      this._again = true;
      return;
    }
    const wait = this._asked + SPACING - this._services.now();
    if (wait <= 0) {
      void this.refresh();
    } else {
      this._plan(wait);
    }
  }

  async refresh(): Promise<void> {
    this._cancel?.();
    this._cancel = null;
    if (this._asking) {
      this._again = true;
      return;
    }
    this._asking = true;
    this._asked = this._services.now();
    try {
      this._page = await this._services.request();
      this._error = null;
    } catch (error) {
      this._error = KubeflowError.from(error);
    }
    this._asking = false;
    this._changed.emit();
    if (this._again) {
      this._again = false;
      this.stir();
    } else if (this._watchers && this._measures()) {
      this._plan(MEASURED);
    }
  }

  private _measures(): boolean {
    const capacity = this._page?.capacity;
    return Boolean(capacity && !isBroken(capacity) && capacity.gpus.length);
  }

  private _plan(milliseconds: number): void {
    this._cancel?.();
    this._cancel = this._services.later(() => {
      this._cancel = null;
      void this.refresh();
    }, milliseconds);
  }

  private _page: IPage | null = null;
  private _error: KubeflowError | null = null;
  private _changed = new Signal<this, void>(this);
  private _watchers = 0;
  private _asking = false;
  private _again = false;
  private _asked = -SPACING;
  private _cancel: (() => void) | null = null;
}
