import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';

import { addDocument, inFront } from '../app/documents';
import type { IKubeflow as Services } from '../tokens';
import { IKubeflow, PLUGIN } from '../tokens';
import { addEndpointCommands, ENDPOINT, EndpointCommands, FOR_PALETTE } from './commands';
import { endpointSection } from './section';
import { EndpointWidget } from './widget';

/** Endpoints: in the panel, in a table, and each in a view of its own. */
export const endpointsPlugin: JupyterFrontEndPlugin<void> = {
  id: `${PLUGIN}:endpoints`,
  description: 'Endpoints: serve models, split traffic, compare and roll back.',
  autoStart: true,
  requires: [IKubeflow],
  optional: [ILayoutRestorer, ICommandPalette, ILauncher],
  activate: (
    app: JupyterFrontEnd,
    kubeflow: Services,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null
  ): void => {
    const { trans } = kubeflow;
    kubeflow.sections.add(endpointSection(kubeflow));
    const tracker = addDocument(app, restorer, {
      command: EndpointCommands.open,
      label: trans.__('Open Endpoint'),
      namespace: 'jupyter-kubeflow-endpoint',
      kinds: [ENDPOINT],
      create: name => new EndpointWidget(kubeflow, name)
    });
    addEndpointCommands(app.commands, kubeflow, () => inFront(app, tracker));
    const category = trans.__('Kubeflow');
    FOR_PALETTE.forEach(command => palette?.addItem({ command, category }));
    launcher?.add({ command: EndpointCommands.serve, category, rank: 4 });
  }
};
