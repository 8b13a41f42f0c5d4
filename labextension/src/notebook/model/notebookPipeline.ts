import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { KubeflowError } from '../../model/errors';
import type { IRunResources, IRunWatch } from '../../model/resources';
import { isActive } from '../../model/states';
import type { IPipeline, IProblem, IRun, IStep } from '../../model/types';
import type { ICellEdit, ICellText } from './cells';
import { inverseAll } from './cells';
import type { IChip, Light } from './chips';
import { chip } from './chips';
import type { IStepPlace } from './edits';
import type { ICellStep } from './graph';
import { cellSteps, neighbours, problemsByCell } from './graph';
import type { IFailure, IStepRun } from './runs';
import { failure, failureCell, latestRun, stepRuns } from './runs';
import type { IText } from '../../model/text';

/** The notebook behind the model; the one place that knows the document. */
export interface INotebookSource extends IDisposable {
  /** Path relative to the server's root. */
  readonly path: string;
  readonly cells: readonly ICellText[];
  /** Emitted when text, tags, order or number of cells, or the path changed. */
  readonly changed: ISignal<INotebookSource, void>;
  /** The notebook without outputs, as the server checks and runs it. */
  content(): object;
  /** Make edits that still fit, each undoable; gives those that were made. */
  apply(edits: readonly ICellEdit[]): ICellEdit[];
}

export type Check = (path: string, content: object, signal: AbortSignal) => Promise<IPipeline>;

const WAITING: IStepRun = {
  state: 'PENDING',
  seconds: null,
  startedAt: null,
  cached: false,
  reason: '',
  rounds: null
};

const NO_PROBLEMS: readonly IProblem[] = [];

/** How long typing must pause before the notebook is checked, in milliseconds. */
const PAUSE = 400;

/** What is known of one notebook as a pipeline: its steps and problems, and how its last run goes. */
export class NotebookPipelineModel implements IDisposable {
  constructor(options: NotebookPipelineModel.IOptions) {
    this.source = options.source;
    this.trans = options.trans;
    this._check = options.check;
    this._resources = options.resources;
    this._pause = options.pause ?? PAUSE;
    this.source.changed.connect(this._onSourceChanged, this);
    this._resources.runs.changed.connect(this._onRunsChanged, this);
  }

  readonly source: INotebookSource;
  readonly trans: IText;

  /** Emitted when anything that can be seen changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The last answer; kept while a newer one is asked for. */
  get pipeline(): IPipeline | null {
    return this._pipeline;
  }

  /** Whether an answer about the present content is awaited. */
  get checking(): boolean {
    return this._request !== null || this._timer !== null;
  }

  /** Why the last check gave no answer, or null. */
  get trouble(): KubeflowError | null {
    return this._trouble;
  }

  /** The newest run of this notebook, or null. */
  get run(): IRun | null {
    return this._run;
  }

  get stepRuns(): ReadonlyMap<string, IStepRun> {
    return this._stepRuns;
  }

  get failure(): IFailure | null {
    return this._failure;
  }

  /** Whether somebody asked to see this notebook as a pipeline; nothing is sent before. */
  get active(): boolean {
    return this._active;
  }
  set active(value: boolean) {
    if (this._active !== value) {
      this._active = value;
      this._wake();
      this._changed.emit();
    }
  }

  /** Whether the notebook is in sight; a hidden one costs nothing. */
  get visible(): boolean {
    return this._visible;
  }
  set visible(value: boolean) {
    if (this._visible !== value) {
      this._visible = value;
      this._wake();
    }
  }

  /** The step under the pointer or focus; it lights its neighbours. */
  get hovered(): string | null {
    return this._hovered;
  }
  set hovered(step: string | null) {
    if (this._hovered !== step) {
      this._hovered = step;
      this._lights = step && this._pipeline ? neighbours(this._pipeline, step) : null;
      this._changed.emit();
    }
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._stop();
    this._watch?.dispose();
    this._watch = null;
    this.source.dispose();
    Signal.clearData(this);
  }

  /** Check the present content now; gives the last known pipeline if there is no answer. */
  async checkNow(): Promise<IPipeline | null> {
    this._stop();
    const content = this.source.content();
    const text = JSON.stringify(content);
    const request = new AbortController();
    this._request = request;
    this._changed.emit();
    try {
      const pipeline = await this._check(this.source.path, content, request.signal);
      if (this._request === request) {
        this._checked = text;
        this._setPipeline(pipeline);
      }
    } catch (error) {
      if (this._request === request) {
        this._trouble = KubeflowError.from(error);
      }
    } finally {
      if (this._request === request) {
        this._request = null;
        this._changed.emit();
      }
    }
    return this._pipeline;
  }

  /** The step that a cell belongs to, or null. */
  stepOf(cellId: string): ICellStep | null {
    return this._cells.get(cellId) ?? null;
  }

  /** The step of that name with all that an edit needs. */
  place(name: string): IStepPlace | null {
    const step = this.step(name);
    return step && this._pipeline
      ? { cells: this.source.cells, pipeline: this._pipeline, step }
      : null;
  }

  step(name: string): IStep | null {
    return this._pipeline?.steps.find(step => step.name === name) ?? null;
  }

  /** Errors and warnings of a cell; the same list until the next answer. */
  problemsOf(cellId: string): readonly IProblem[] {
    return this._problems.get(cellId) ?? NO_PROBLEMS;
  }

  /** The chip of a cell, or null if it belongs to no step. */
  chipOf(cellId: string, now: number): IChip | null {
    const place = this._active ? this._cells.get(cellId) : undefined;
    if (!place) {
      return null;
    }
    const run = this._stepRuns.get(place.step.name) ?? this._unstarted;
    const known = this._chips.get(cellId);
    // Only the time of a running step moves by itself.
    if (known && run?.state !== 'RUNNING') {
      return known;
    }
    const made = chip(place, run, this.problemsOf(cellId), now, this.trans);
    this._chips.set(cellId, made);
    return made;
  }

  /** How a step stands to the one under the pointer. */
  lightOf(step: string): Light {
    if (!this._hovered) {
      return null;
    }
    if (step === this._hovered) {
      return 'self';
    }
    if (this._lights?.upstream.has(step)) {
      return 'upstream';
    }
    return this._lights?.downstream.has(step) ? 'downstream' : 'dim';
  }

  /** The cell at which the last run's failure is shown, or null. */
  failedCell(): string | null {
    const ids = this.source.cells.map(cell => cell.id);
    return this._failure ? failureCell(this._failure, this._pipeline, ids) : null;
  }

  /** Edit the notebook and look at it again at once. */
  edit(edits: readonly ICellEdit[]): void {
    const done = this.source.apply(edits);
    if (done.length) {
      this._undo.push(inverseAll(done));
      this._schedule(0);
      this._changed.emit();
    }
  }

  /** Whether there is an edit of ours to take back. */
  get canUndo(): boolean {
    return this._undo.length > 0;
  }

  /** Take back the last edit made here, as far as its cells were not edited since. */
  undo(): void {
    const edits = this._undo.pop();
    if (edits) {
      this.source.apply(edits);
      this._schedule(0);
      this._changed.emit();
    }
  }

  private get _awake(): boolean {
    return this._active && this._visible && !this._isDisposed;
  }

  private _wake(): void {
    this._follow();
    if (!this._awake) {
      this._stop();
    } else if (this._checked === null) {
      void this.checkNow();
    } else {
      this._schedule(0);
    }
  }

  private _stop(): void {
    if (this._timer !== null) {
      clearTimeout(this._timer);
      this._timer = null;
    }
    this._request?.abort();
    this._request = null;
  }

  private _schedule(delay: number): void {
    if (!this._awake) {
      return;
    }
    this._stop();
    this._timer = setTimeout(() => {
      this._timer = null;
      const same = JSON.stringify(this.source.content()) === this._checked;
      if (!same || this._trouble) {
        void this.checkNow();
      } else {
        this._changed.emit();
      }
    }, delay);
  }

  private _onSourceChanged(): void {
    this._schedule(this._pause);
    this._onRunsChanged();
  }

  private _setPipeline(pipeline: IPipeline): void {
    this._pipeline = pipeline;
    this._trouble = null;
    this._chips.clear();
    this._cells = cellSteps(pipeline);
    this._problems = problemsByCell(withIds(pipeline, this.source.cells));
    if (this._hovered) {
      this._lights = neighbours(pipeline, this._hovered);
    }
  }

  private _onRunsChanged(): void {
    const before = this._run;
    this._follow();
    if (this._run !== before) {
      this._changed.emit();
    }
  }

  /** Watch the newest run of this notebook, and none while nobody looks. */
  private _follow(): void {
    const found = latestRun(this._resources.runs.items, this.source.path);
    const name = found?.metadata.name ?? null;
    if (!this._awake || name !== this._watch?.name) {
      this._watch?.dispose();
      this._watch = null;
    }
    if (this._awake && name && !this._watch) {
      this._watch = this._resources.watch(name);
      this._watch.changed.connect(this._onRunChanged, this);
    }
    if (this._awake || !found) {
      this._setRun(this._watch?.run ?? (name === this._run?.metadata.name ? this._run : found));
    }
  }

  private _onRunChanged(): void {
    this._setRun(this._watch?.run ?? this._run);
    this._changed.emit();
  }

  private _setRun(run: IRun | null): void {
    if (run !== this._run) {
      this._run = run;
      this._chips.clear();
      this._stepRuns = stepRuns(run);
      this._failure = failure(run);
      this._unstarted = run && isActive(run.status.phase) && !this._stepRuns.size ? WAITING : null;
    }
  }

  private readonly _check: Check;
  private readonly _resources: IRunResources;
  private readonly _pause: number;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _undo: ICellEdit[][] = [];
  private _pipeline: IPipeline | null = null;
  private _trouble: KubeflowError | null = null;
  private _cells = new Map<string, ICellStep>();
  private readonly _chips = new Map<string, IChip>();
  private _problems = new Map<string, IProblem[]>();
  private _run: IRun | null = null;
  private _stepRuns = new Map<string, IStepRun>();
  private _failure: IFailure | null = null;
  /** What is said of every step while a new run has not told its steps yet. */
  private _unstarted: IStepRun | null = null;
  private _watch: IRunWatch | null = null;
  private _active = false;
  private _visible = false;
  private _hovered: string | null = null;
  private _lights: { upstream: Set<string>; downstream: Set<string> } | null = null;
  private _timer: ReturnType<typeof setTimeout> | null = null;
  private _request: AbortController | null = null;
  /** The content that the pipeline is about, as JSON; null before the first answer. */
  private _checked: string | null = null;
  private _isDisposed = false;
}

export namespace NotebookPipelineModel {
  export interface IOptions {
    readonly source: INotebookSource;
    readonly check: Check;
    readonly resources: IRunResources;
    readonly trans: IText;
    /** Milliseconds; only tests want another. */
    readonly pause?: number;
  }
}

/** The pipeline with problems told by number given the id of their cell. */
function withIds(pipeline: IPipeline, cells: readonly ICellText[]): IPipeline {
  const problems = pipeline.problems?.map(problem =>
    problem.cellId || !problem.cell
      ? problem
      : { ...problem, cellId: cells[problem.cell - 1]?.id ?? null }
  );
  return { ...pipeline, problems };
}
