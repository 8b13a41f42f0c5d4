import type { IStateDB } from '@jupyterlab/statedb';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Drafts } from '../model/parameters';

/** Not shown, shown in full, or folded to a chip. */
export type BarMode = 'none' | 'full' | 'chip';
/** What is unfolded under the bar. */
export type BarPane = 'parameters' | 'problems' | null;

interface IStored {
  readonly mode: BarMode;
  readonly pane: BarPane;
  readonly drafts: Drafts;
}

const EMPTY: IStored = { mode: 'none', pane: null, drafts: {} };

/** How one notebook's pipeline bar was left; remembered by the notebook's path. */
export class BarState {
  constructor(
    private readonly _path: () => string,
    private readonly _store: IStateDB | null
  ) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get mode(): BarMode {
    return this._stored.mode;
  }

  get pane(): BarPane {
    return this._stored.pane;
  }

  get drafts(): Drafts {
    return this._stored.drafts;
  }

  /** Bring back what was remembered; something already changed here wins. */
  async restore(): Promise<void> {
    const found = (await this._store?.fetch(this._key)) as Partial<IStored> | undefined;
    if (found && this._stored === EMPTY) {
      this._stored = { ...EMPTY, ...found };
      this._changed.emit();
    }
  }

  set(change: Partial<IStored>): void {
    this._stored = { ...this._stored, ...change };
    const { mode, pane, drafts } = this._stored;
    void this._store?.save(this._key, { mode, pane, drafts: { ...drafts } });
    this._changed.emit();
  }

  private get _key(): string {
    return `jupyter-kubeflow:pipeline-bar:${this._path()}`;
  }

  private readonly _changed = new Signal<this, void>(this);
  private _stored: IStored = EMPTY;
}
