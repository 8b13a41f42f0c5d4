import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';
import type { IStateDB } from '@jupyterlab/statedb';
import type { IDisposable } from '@lumino/disposable';
import type { IMessageHandler, Message } from '@lumino/messaging';
import { MessageLoop } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';

import type { IPipeline, IProblem, Json } from '../model/types';
import type { IKubeflow, IRunOptions } from '../tokens';
import { PipelineBar } from './bar/bar';
import { BarState } from './bar/state';
import { CellDecorator } from './cells/decorator';
import type { IconSheet } from './cells/icons';
import { fixEdits } from './model/fixes';
import { findMagic } from './model/magic';
import { changedValues, fields } from './model/parameters';
import { NotebookPipelineModel } from './model/notebookPipeline';
import { latestRun } from './model/runs';
import { PanelSource } from './source';

/** When a notebook shows its steps: if it is a pipeline, always, or only with the bar. */
export type ShowSteps = 'auto' | 'always' | 'bar';

export interface IControllerServices {
  readonly kubeflow: IKubeflow;
  readonly contents: Pick<Contents.IManager, 'localPath'>;
  readonly state: IStateDB | null;
  readonly icons: Promise<IconSheet>;
  readonly showSteps: () => ShowSteps;
  /** Show the settings of the active cell's step. */
  readonly inspect: () => void;
}

const STEP_TAG = /^(step|block):/;

/** Everything of ours that belongs to one notebook: its model, its cells' chips and its bar. */
export class NotebookController implements IDisposable {
  constructor(
    readonly panel: NotebookPanel,
    private readonly _services: IControllerServices
  ) {
    const { kubeflow, contents, state, icons } = _services;
    this.source = new PanelSource(panel, contents);
    this.model = new NotebookPipelineModel({
      source: this.source,
      resources: kubeflow.resources,
      trans: kubeflow.trans,
      check: async (path, content, signal) => {
        const body = { path, content };
        const init = { method: 'POST', body, signal } as const;
        return (await kubeflow.request<{ pipeline: IPipeline }>('notebooks:check', init)).pipeline;
      }
    });
    this.barState = new BarState(() => this.source.path, state);
    this._decorator = new CellDecorator(
      panel,
      this.model,
      kubeflow,
      {
        fix: problem => this.fix(problem),
        goTo: problem => void this.goToProblem(problem),
        dismiss: failure => this._decorator.dismiss(failure),
        inspect: _services.inspect
      },
      icons
    );
    this.barState.changed.connect(this._onBarChanged, this);
    this.source.changed.connect(this._onMaybeActive, this);
    kubeflow.resources.runs.changed.connect(this._onMaybeActive, this);
    MessageLoop.installMessageHook(panel, this._hook);
    panel.disposed.connect(this.dispose, this);
    void this.barState.restore();
    this.update();
  }

  readonly source: PanelSource;
  readonly model: NotebookPipelineModel;
  readonly barState: BarState;

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    MessageLoop.removeMessageHook(this.panel, this._hook);
    this._services.kubeflow.resources.runs.changed.disconnect(this._onMaybeActive, this);
    this._decorator.dispose();
    this._bar?.dispose();
    this.model.dispose();
    Signal.clearData(this);
  }

  /** Decide again whether steps are shown. */
  update(): void {
    this.model.visible = this.panel.isVisible;
    this.model.active = this._wanted();
    this._decorator.schedule();
  }

  /** Name of the step that the active cell belongs to, or null. */
  get activeStep(): string | null {
    const id = this.panel.content.activeCell?.model.id;
    return (id && this.model.stepOf(id)?.step.name) || null;
  }

  /** Show the bar, fold it or put it away. */
  toggleBar(): void {
    this.barState.set({ mode: this.barState.mode === 'none' ? 'full' : 'none' });
  }

  /** Submit the notebook as it stands, saved or not. */
  async run(options: Pick<IRunOptions, 'from' | 'only' | 'cache'> = {}): Promise<void> {
    const { kubeflow } = this._services;
    await this.panel.context.ready; // before, the notebook looks empty
    await kubeflow.runNotebook({
      path: this.source.path,
      notebook: this.source.content(),
      parameters: this.parameters ?? {},
      ...options
    });
    this.model.active = true;
  }

  /** Values of the parameters form that differ from the notebook's own; null while one is wrong. */
  get parameters(): Record<string, Json> | null {
    const { trans } = this._services.kubeflow;
    const declared = this.model.pipeline?.parameters ?? [];
    return changedValues(fields(declared, this.barState.drafts, trans), trans);
  }

  /** Do what a problem's button says. */
  fix(problem: IProblem): void {
    this.model.edit(fixEdits(problem, this.source.cells));
  }

  /** Bring a problem's place into view. */
  async goToProblem(problem: IProblem): Promise<void> {
    const place = { id: problem.cellId, index: problem.cell };
    await this._services.kubeflow.goToCell(this.panel.context.path, place, problem.line);
  }

  /** Bring the first cell of a step into view. */
  async goToStep(name: string): Promise<void> {
    const cell = this.model.step(name)?.cells.find(item => item.cellType !== 'markdown');
    if (cell) {
      const place = { id: cell.id, index: cell.index };
      await this._services.kubeflow.goToCell(this.panel.context.path, place);
    }
  }

  /** Bring the cell into view in which the last run failed; false if there is none. */
  async goToFailure(): Promise<boolean> {
    const id = this.model.failedCell();
    if (id) {
      const line = this.model.failure?.error.line;
      await this._services.kubeflow.goToCell(this.panel.context.path, { id }, line);
    }
    return id !== null;
  }

  private _wanted(): boolean {
    const wish = this._services.showSteps();
    if (this.barState.mode !== 'none' || wish === 'always') {
      return true;
    }
    return wish === 'auto' && (this._isAnnotated() || this._hasRun());
  }

  private _isAnnotated(): boolean {
    return this.source.cells.some(
      cell =>
        cell.type === 'code' &&
        (cell.tags.some(tag => STEP_TAG.test(tag)) || findMagic(cell.source) !== null)
    );
  }

  private _hasRun(): boolean {
    return latestRun(this._services.kubeflow.resources.runs.items, this.source.path) !== null;
  }

  private _onMaybeActive(): void {
    if (!this.model.active) {
      this.update();
    }
  }

  private _onBarChanged(): void {
    this.update();
    const shown = this.barState.mode !== 'none';
    if (shown && !this._bar) {
      this._bar = new PipelineBar(this, this._services.kubeflow);
      this.panel.contentHeader.addWidget(this._bar);
    } else if (!shown) {
      this._bar?.dispose();
      this._bar = null;
    }
  }

  private readonly _hook = (_: IMessageHandler, message: Message): boolean => {
    if (['after-show', 'after-attach', 'after-hide', 'before-detach'].includes(message.type)) {
      queueMicrotask(() => !this._isDisposed && this.update());
    }
    return true;
  };

  private readonly _decorator: CellDecorator;
  private _bar: PipelineBar | null = null;
  private _isDisposed = false;
}
