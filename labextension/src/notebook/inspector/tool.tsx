import type { NotebookPanel } from '@jupyterlab/notebook';
import { NotebookTools } from '@jupyterlab/notebook';
import { Collapser, ReactWidget } from '@jupyterlab/ui-components';
import { PanelLayout } from '@lumino/widgets';
import * as React from 'react';

import type { IKubeflow } from '../../tokens';
import { KubeflowProvider } from '../../ui/context';
import type { NotebookController } from '../controller';
import { Inspector } from './inspector';

/** The section of the property inspector that tells and edits the active cell's step. */
export class StepTool extends NotebookTools.Tool {
  constructor(
    private readonly _controllerOf: (panel: NotebookPanel) => NotebookController | null,
    kubeflow: IKubeflow
  ) {
    super();
    this.addClass('jk-StepTool');
    this._body = new Body(kubeflow);
    this.layout = new PanelLayout();
    (this.layout as PanelLayout).addWidget(this._body);
  }

  /** Unfold the section that this stands in. */
  unfold(): void {
    for (let widget = this.parent; widget; widget = widget.parent) {
      if (widget instanceof Collapser) {
        widget.collapsed = false;
      }
    }
  }

  /** Put the focus on the first field. */
  focusFirst(): void {
    this.node.querySelector<HTMLElement>('input, button')?.focus();
  }

  protected onActiveNotebookPanelChanged(): void {
    this._update();
  }

  protected onActiveCellChanged(): void {
    this._update();
  }

  /** Look again which notebook and cell are in front. */
  refresh(): void {
    this._update();
  }

  private _update(): void {
    const panel = this.notebookTools?.activeNotebookPanel ?? null;
    const controller = panel && this._controllerOf(panel);
    this._body.present(controller, this.notebookTools?.activeCell?.model.id ?? null);
  }

  private readonly _body: Body;
}

class Body extends ReactWidget {
  constructor(private readonly _kubeflow: IKubeflow) {
    super();
  }

  present(controller: NotebookController | null, cell: string | null): void {
    this._controller = controller;
    this._cell = cell;
    this.update();
  }

  protected render(): JSX.Element {
    return (
      <KubeflowProvider value={this._kubeflow}>
        {this._controller && this._cell && !this._controller.isDisposed ? (
          <Inspector key={this._cell} controller={this._controller} cell={this._cell} />
        ) : null}
      </KubeflowProvider>
    );
  }

  private _controller: NotebookController | null = null;
  private _cell: string | null = null;
}
