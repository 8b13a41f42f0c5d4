import type { IStateDB } from '@jupyterlab/statedb';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

const KEY = 'jupyter-kubeflow:sidebar';
/** Failures looked at longer ago than this many are forgotten; they are older than a day by then. */
const MOST = 200;

/** What the panel remembers between visits: folds, and which failures were looked at. */
export class Memory {
  constructor(private readonly _db: IStateDB | null) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  async load(): Promise<void> {
    const saved = (await this._db?.fetch(KEY).catch(() => undefined)) as
      { folds?: Record<string, boolean>; seen?: string[] } | undefined;
    this._folds = { ...saved?.folds, ...this._folds };
    this._seen = new Set([...(saved?.seen ?? []), ...this._seen]);
    this._changed.emit();
  }

  isOpen(section: string, byDefault: boolean): boolean {
    return this._folds[section] ?? byDefault;
  }

  fold(section: string, open: boolean): void {
    this._folds = { ...this._folds, [section]: open };
    this._save();
  }

  hasSeen(key: string): boolean {
    return this._seen.has(key);
  }

  see(key: string): void {
    if (!this._seen.has(key)) {
      this._seen.add(key);
      this._seen = new Set([...this._seen].slice(-MOST));
      this._save();
    }
  }

  private _save(): void {
    this._changed.emit();
    void this._db?.save(KEY, { folds: this._folds, seen: [...this._seen] });
  }

  private _folds: Record<string, boolean> = {};
  private _seen = new Set<string>();
  private _changed = new Signal<this, void>(this);
}
