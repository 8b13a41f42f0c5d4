import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { ResourceStore } from '../model/store';
import { Requester } from '../request';
import { IKubeflow, PLUGIN } from '../tokens';
import { Kubeflow } from './kubeflow';
import { browserServices, onWake } from './live';
import { addTables } from './tables';

/** The live resources and the ways to act on them; everything else in this extension is a view of it. */
export const kubeflowPlugin: JupyterFrontEndPlugin<IKubeflow> = {
  id: `${PLUGIN}:plugin`,
  description: 'Live Kubeflow resources for the other parts of jupyter-kubeflow.',
  autoStart: true,
  provides: IKubeflow,
  optional: [
    ITranslator,
    IRenderMimeRegistry,
    INotebookTracker,
    IEditorLanguageRegistry,
    ILayoutRestorer
  ],
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    rendermime: IRenderMimeRegistry | null,
    notebooks: INotebookTracker | null,
    languages: IEditorLanguageRegistry | null,
    restorer: ILayoutRestorer | null
  ): IKubeflow => {
    const trans = (translator ?? nullTranslator).load('jupyter_kubeflow');
    const requester = new Requester(app.serviceManager.serverSettings, trans);
    const services = browserServices(requester, app.serviceManager.events, trans);
    const store = new ResourceStore(services);
    onWake(() => store.wake());
    void app.restored.then(() => store.refresh());
    const kubeflow = new Kubeflow(requester, app.commands, store, trans, {
      rendermime,
      notebooks,
      languages
    });
    addTables(app, kubeflow, restorer);
    return kubeflow;
  }
};
