import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

/** Where somebody points, shared by charts that show the same time. In the unit the charts agreed on. */
export class ChartCursor {
  get at(): number | null {
    return this._at;
  }

  /** The chart that is pointed at, so that only this one says it to screen readers. */
  get owner(): object | null {
    return this._owner;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  set(at: number | null, owner: object | null = null): void {
    if (at !== this._at || owner !== this._owner) {
      this._at = at;
      this._owner = owner;
      this._changed.emit();
    }
  }

  private _at: number | null = null;
  private _owner: object | null = null;
  private _changed = new Signal<this, void>(this);
}
