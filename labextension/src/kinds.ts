import type { LabIcon } from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';
import type * as React from 'react';

import { knownState } from './model/states';
import type { IWork, RunState } from './model/types';

/** One thing that can be done to resources of a kind; a command that takes `{name}` or `{names}`. */
export interface IAction {
  readonly command: string;
  /** The verb, as a menu says it: *Stop*. */
  readonly label: string;
  readonly icon?: LabIcon;
  /** Also makes sense for several at once. */
  readonly bulk?: boolean;
  /** May stand in the row itself while it can be used. */
  readonly inRow?: boolean;
}

/** How resources of one kind are shown in rows, tables and menus, whatever the kind. */
export interface IKindView<T extends IWork = IWork> {
  /** As the server's events name it: *TrainJob*. */
  readonly kind: string;
  readonly icon: LabIcon;
  /** What a person calls it. */
  title(item: T): string;
  /** One line under the title: where it is, how it ended, or why it waits. */
  note(item: T): string;
  /** Text that the filter looks through, beside name, title and state. */
  words?(item: T): string;
  /** What `name=value` in the filter is compared with. */
  value?(item: T, name: string): unknown;
  /** Show it in the main area; `place` is what its view understands: a tab, a part. */
  open(name: string, place?: ReadonlyPartialJSONObject): unknown;
  /** Belongs to something else that is listed: then neither *Now* nor the section's list shows it. */
  isPart?(item: T): boolean;
  /** Works without going on: then neither *Now* nor a clock follows it. */
  settled?(item: T): boolean;
  /** What stands where the state would, for things that do not run; those are settled unless `settled` says not. */
  mark?(item: T): React.ReactNode;
  /** The time told in a row; without, that of its end or its making. */
  time?(item: T): string | null | undefined;
  /** Drawn below the note in a row; nothing that can be clicked. */
  extra?(item: T): React.ReactNode;
  /** Most wanted first. */
  readonly actions: readonly IAction[];
}

/** Whether nothing of it goes on, whatever its phase. */
export function isSettled(view: IKindView, item: IWork): boolean {
  return view.settled ? view.settled(item) : Boolean(view.mark);
}

/** The state as rows carry it; none for what has none. */
export function stateOf(view: IKindView | undefined, item: IWork): RunState | undefined {
  return view?.mark && !view.settled ? undefined : knownState(item.status.phase);
}

/** One more column of a section's table, after state and name; the usual ones are in ui/columns. */
export interface IColumn<T extends IWork = IWork> {
  readonly id: string;
  readonly title: string;
  /** A track of the grid: `96px`, `minmax(80px, 1fr)`. */
  readonly width: string;
  readonly number?: boolean;
  /** What it is sorted by; a column without cannot be sorted. */
  sort?(item: T): string | number | null | undefined;
  cell(item: T): React.ReactNode;
}

export interface ISectionWords {
  /** Names lists and the table: *Training jobs*. */
  readonly items: string;
  /** *Filter training jobs* */
  readonly filter: string;
  /** What may be typed there. */
  readonly hint: string;
  /** *Selected training jobs* */
  readonly selected: string;
  /** *No training job matches “%1”.* */
  readonly noMatch: string;
}

/** Items of one kind, best first. */
export interface ISearchResult {
  readonly items: readonly IWork[];
  readonly more: boolean;
}

export interface IFormProps {
  /** What the form starts from, for example the source of a cell. */
  readonly given?: ReadonlyPartialJSONObject;
  /** Called when it was submitted or given up. */
  readonly onDone: () => void;
}

/** A capability's part of the panel: registered once by its plugin with `kubeflow.sections.add`. */
export interface ISection {
  /** As the server's capabilities name it: *training*. */
  readonly id: string;
  /** Sections come in this order: pipelines 10, training 20, tuning 30, spark 40, … */
  readonly rank: number;
  readonly title: string;
  readonly words: ISectionWords;
  readonly kinds: readonly IKindView[];
  /** Makes the first thing: a form that opens in place, or a command. */
  readonly create: {
    readonly label: string;
    /** The verb of the button in an empty section, where it differs. */
    readonly first?: string;
    readonly form?: React.ComponentType<IFormProps>;
    readonly command?: string;
  };
  readonly empty: {
    readonly sentence: string;
    readonly code: string;
    /** Another first step: a command without arguments. */
    readonly also?: { readonly label: string; readonly command: string };
  };
  /** Columns of the table after state and name; may depend on what is shown. */
  columns(items: readonly IWork[]): readonly IColumn[];
  /** Put two to ten of one kind side by side; without it nothing can be compared. */
  compare?(names: readonly string[]): void;
  /** Asks the server what a filter finds, instead of looking through what is loaded; rejects where it is no filter. */
  search?(query: string, signal: AbortSignal): Promise<ISearchResult>;
  /** Below the list, for example the schedules. */
  readonly below?: React.ComponentType;
  /** Whether the section is unfolded until somebody folds it; false without. */
  readonly open?: boolean;
}

/** A part of the panel that draws itself, for what is no resource of the cluster. */
export interface IPart {
  /** As the server's capabilities name it: *servers*. Shown where that is available. */
  readonly id: string;
  readonly rank: number;
  readonly title: string;
  readonly body: React.ComponentType;
}

/** A command asked for a section's form; the panel shows it. */
export interface IFormRequest {
  readonly section: string;
  readonly given?: ReadonlyPartialJSONObject;
}

/** What the capabilities of this page have registered, in their order. */
export class Sections {
  get all(): readonly ISection[] {
    return this._all;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Somebody opened one: a failure that was looked at leaves *Now*. */
  get opened(): ISignal<this, { kind: string; name: string }> {
    return this._opened;
  }

  get formAsked(): ISignal<this, void> {
    return this._formAsked;
  }

  add(section: ISection): void {
    const others = this._all.filter(other => other.id !== section.id);
    this._all = [...others, section].sort((a, b) => a.rank - b.rank);
    this._changed.emit();
  }

  get parts(): readonly IPart[] {
    return this._parts;
  }

  addPart(part: IPart): void {
    const others = this._parts.filter(other => other.id !== part.id);
    this._parts = [...others, part].sort((a, b) => a.rank - b.rank);
    this._changed.emit();
  }

  get(id: string): ISection | undefined {
    return this._all.find(section => section.id === id);
  }

  /** How a kind is shown, and in which section. */
  view(kind: string): IKindView | undefined {
    return this._all.flatMap(section => section.kinds).find(view => view.kind === kind);
  }

  open(kind: string, name: string, place?: ReadonlyPartialJSONObject): unknown {
    this.wasOpened(kind, name);
    return this.view(kind)?.open(name, place);
  }

  wasOpened(kind: string, name: string): void {
    this._opened.emit({ kind, name });
  }

  /** Show a section's form with these values. */
  askForm(request: IFormRequest): void {
    this._request = request;
    this._formAsked.emit();
  }

  /** What was asked of this section and not yet shown; asked once, given once. */
  takeForm(section: string): IFormRequest | null {
    const request = this._request?.section === section ? this._request : null;
    if (request) {
      this._request = null;
    }
    return request;
  }

  private _all: readonly ISection[] = [];
  private _parts: readonly IPart[] = [];
  private _changed = new Signal<this, void>(this);
  private _opened = new Signal<this, { kind: string; name: string }>(this);
  private _formAsked = new Signal<this, void>(this);
  private _request: IFormRequest | null = null;
}
