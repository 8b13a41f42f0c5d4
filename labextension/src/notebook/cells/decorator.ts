import type { Cell } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { PanelLayout } from '@lumino/widgets';

import type { IProblem } from '../../model/types';
import type { IKubeflow } from '../../tokens';
import type { IChip } from '../model/chips';
import { sameChip } from '../model/chips';
import type { NotebookPipelineModel } from '../model/notebookPipeline';
import type { IFailure } from '../model/runs';
import { Margin } from './chip';
import type { IconSheet } from './icons';
import type { INoteActions, INotes } from './notes';
import { CellNotes } from './notes';
import { underline } from './underline';

/** What is drawn at a cell now. */
interface IDrawn {
  chip: IChip | null;
  margin: Margin | null;
  notes: CellNotes | null;
  noted: INotes;
  underlined: readonly IProblem[];
}

const NOTHING: INotes = { problems: [], failure: null, run: null };
const NO_PROBLEMS: readonly IProblem[] = [];

export interface IDecoratorActions extends INoteActions {
  /** A chip was clicked. */
  readonly inspect: (step: string) => void;
}

/** Draws chips and notes at the cells of one notebook, and redraws only the cells that changed. */
export class CellDecorator implements IDisposable {
  constructor(
    private readonly _panel: NotebookPanel,
    private readonly _model: NotebookPipelineModel,
    private readonly _kubeflow: IKubeflow,
    private readonly _actions: IDecoratorActions,
    icons: Promise<IconSheet>
  ) {
    const notebook = _panel.content;
    _model.changed.connect(this.schedule, this);
    _kubeflow.resources.connectionChanged.connect(this.schedule, this);
    notebook.cellInViewportChanged.connect(this.schedule, this);
    notebook.modelContentChanged.connect(this._onContentChanged, this);
    notebook.activeCellChanged.connect(this.schedule, this);
    for (const type of EVENTS) {
      notebook.node.addEventListener(type, this);
    }
    this._resize = new ResizeObserver(() => {
      notebook.node.classList.toggle('jk-mod-narrow', notebook.node.clientWidth < NARROW);
    });
    this._resize.observe(notebook.node);
    void icons.then(sheet => {
      this._icons = sheet;
      this._redrawAll = true;
      this.schedule();
    });
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._resize.disconnect();
    cancelAnimationFrame(this._frame);
    window.clearTimeout(this._tick);
    this._kubeflow.resources.connectionChanged.disconnect(this.schedule, this);
    for (const type of EVENTS) {
      this._panel.content.node.removeEventListener(type, this);
    }
    Signal.clearData(this);
  }

  /** Draw before the next frame; many calls draw once. */
  schedule(): void {
    if (!this._frame && !this._isDisposed && this._model.visible) {
      this._frame = requestAnimationFrame(() => {
        this._frame = 0;
        this._draw();
      });
    }
  }

  handleEvent(event: Event): void {
    const chip = chipAt(event.target);
    switch (event.type) {
      case 'mouseover':
      case 'focusin':
        this._model.hovered = chip?.dataset.step ?? null;
        break;
      case 'mouseout':
      case 'focusout':
        if (chip && !chipAt((event as MouseEvent | FocusEvent).relatedTarget)) {
          this._model.hovered = null;
        }
        break;
      case 'click':
        if (chip?.dataset.step) {
          this._actions.inspect(chip.dataset.step);
        }
        break;
    }
  }

  /** Do not show this run's failure any more. */
  dismiss(failure: IFailure): void {
    this._dismissed = failure.run;
    this.schedule();
  }

  private _onContentChanged(): void {
    if (this._model.active) {
      this.schedule();
    }
  }

  private _draw(): void {
    if (this._isDisposed || this._panel.isDisposed) {
      return;
    }
    const { content } = this._panel;
    const shown = this._model.active && this._model.pipeline !== null;
    if (!shown && !this._anything) {
      return;
    }
    this._anything = shown;
    content.node.classList.toggle('jk-mod-pipeline', shown);
    content.node.classList.toggle('jk-mod-away', this._kubeflow.resources.connection === 'away');
    const now = Date.now();
    const failedCell = shown ? this._model.failedCell() : null;
    const active = content.activeCell;
    for (const cell of content.widgets) {
      const drawn = this._drawnAt(cell);
      this._drawChip(cell, drawn, this._model.chipOf(cell.model.id, now), cell === active);
      this._drawNotes(cell, drawn, shown ? this._notesOf(cell.model.id, failedCell) : NOTHING);
    }
    this._redrawAll = false;
    this._keepTicking();
  }

  private _drawChip(cell: Cell, drawn: IDrawn, chip: IChip | null, active: boolean): void {
    if (!chip) {
      drawn.margin?.node.remove();
      drawn.margin = drawn.chip = null;
      return;
    }
    drawn.margin ??= new Margin();
    if (drawn.margin.node.parentNode !== cell.node) {
      cell.node.append(drawn.margin.node);
    }
    drawn.margin.reachable = active;
    if (this._redrawAll || !drawn.chip || (drawn.chip !== chip && !sameChip(drawn.chip, chip))) {
      drawn.margin.draw(chip, this._icons);
      drawn.chip = chip;
    }
    drawn.margin.light = this._model.lightOf(chip.step);
  }

  private _drawNotes(cell: Cell, drawn: IDrawn, notes: INotes): void {
    if (cell.isPlaceholder()) {
      return;
    }
    if (drawn.underlined !== notes.problems) {
      underline(cell, notes.problems);
      drawn.underlined = notes.problems;
    }
    if (!notes.problems.length && !notes.failure) {
      drawn.notes?.dispose();
      drawn.notes = null;
      drawn.noted = NOTHING;
      return;
    }
    if (!drawn.notes || drawn.notes.isDisposed) {
      drawn.notes = new CellNotes(this._kubeflow, this._actions);
      insertBelowInput(cell, drawn.notes);
      drawn.noted = NOTHING;
    }
    if (!sameNotes(drawn.noted, notes)) {
      drawn.notes.present(notes);
      drawn.noted = notes;
    }
  }

  private _notesOf(cellId: string, failedCell: string | null): INotes {
    const { failure } = this._model;
    const failed = cellId === failedCell && failure?.run !== this._dismissed;
    return {
      problems: this._model.problemsOf(cellId),
      failure: failed ? failure : null,
      run: failed ? this._model.run : null
    };
  }

  private _drawnAt(cell: Cell): IDrawn {
    let drawn = this._drawn.get(cell);
    if (!drawn) {
      drawn = { chip: null, margin: null, notes: null, noted: NOTHING, underlined: NO_PROBLEMS };
      this._drawn.set(cell, drawn);
    }
    return drawn;
  }

  /** Seconds of running steps move while somebody looks. */
  private _keepTicking(): void {
    window.clearTimeout(this._tick);
    const running = [...this._model.stepRuns.values()].some(step => step.state === 'RUNNING');
    if (running && this._anything) {
      this._tick = window.setTimeout(() => this.schedule(), 1000);
    }
  }

  private readonly _resize: ResizeObserver;
  private readonly _drawn = new WeakMap<Cell, IDrawn>();
  private _icons: IconSheet | null = null;
  private _redrawAll = false;
  private _anything = false;
  private _dismissed: string | null = null;
  private _frame = 0;
  private _tick = 0;
  private _isDisposed = false;
}

/** Below this width in pixels chips show their icon only. */
const NARROW = 620;

const EVENTS = ['mouseover', 'mouseout', 'focusin', 'focusout', 'click'] as const;

function chipAt(target: EventTarget | null): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>('.jk-Chip') : null;
}

function insertBelowInput(cell: Cell, notes: CellNotes): void {
  const layout = cell.layout as PanelLayout;
  const input = layout.widgets.findIndex(widget => widget.hasClass('jp-Cell-inputWrapper'));
  layout.insertWidget(input + 1, notes);
}

function sameNotes(left: INotes, right: INotes): boolean {
  return (
    left.problems === right.problems && left.failure === right.failure && left.run === right.run
  );
}
