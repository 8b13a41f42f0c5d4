import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { IRenderMime } from '@jupyterlab/rendermime';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IKubeflow as Services } from '../tokens';
import { IKubeflow, PLUGIN } from '../tokens';
import { KubeflowProvider } from '../ui/context';
import type { IDisplayed } from './run/preview';
import { Displayed } from './run/preview';

const MIME = 'application/vnd.kubeflow.v1+json';
/** Before HTML, so that the picture follows the theme where this extension is. */
const RANK = 10;

/** Draws what `metrics()`, `roc()` and `confusion_matrix()` display, in notebooks as in run views. */
export const displayPlugin: JupyterFrontEndPlugin<void> = {
  id: `${PLUGIN}:display`,
  description: 'Draws metrics, ROC curves and confusion matrices in the theme of the page.',
  autoStart: true,
  requires: [IKubeflow, IRenderMimeRegistry],
  activate: (_: JupyterFrontEnd, kubeflow: Services, rendermime: IRenderMimeRegistry): void => {
    rendermime.addFactory(
      {
        safe: true,
        mimeTypes: [MIME],
        createRenderer: options => new DisplayedWidget(kubeflow, options.mimeType)
      },
      RANK
    );
  }
};

class DisplayedWidget extends ReactWidget implements IRenderMime.IRenderer {
  constructor(
    private readonly _kubeflow: Services,
    private readonly _mime: string
  ) {
    super();
    this.addClass('jk-Displayed');
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this._bundle = model.data as Record<string, unknown>;
    this._data = this._bundle[this._mime] as IDisplayed;
    this.update();
    await this.renderPromise;
  }

  protected render(): JSX.Element | null {
    return this._data ? (
      <KubeflowProvider value={this._kubeflow}>
        <Displayed data={this._data} bundle={this._bundle} />
      </KubeflowProvider>
    ) : null;
  }

  private _data: IDisplayed | null = null;
  private _bundle: Record<string, unknown> = {};
}
