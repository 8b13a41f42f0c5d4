import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker } from '@jupyterlab/notebook';

import { addDocument, inFront } from '../app/documents';
import type { IKubeflow as Services } from '../tokens';
import { IKubeflow, PLUGIN } from '../tokens';
import {
  addSparkCommands,
  addSparkWays,
  FOR_PALETTE,
  SparkCommandIDs,
  WORK_KINDS
} from './commands';
import { sparkSection } from './section';
import { SparkWidget } from './widget';

/** Spark: sessions, applications and their schedules in the panel, each in a view of its own. */
export const sparkPlugin: JupyterFrontEndPlugin<void> = {
  id: `${PLUGIN}:spark`,
  description: 'Spark: start sessions, submit applications, watch their stages.',
  autoStart: true,
  requires: [IKubeflow],
  optional: [ILayoutRestorer, ICommandPalette, ILauncher, INotebookTracker],
  activate: (
    app: JupyterFrontEnd,
    kubeflow: Services,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    notebooks: INotebookTracker | null
  ): void => {
    const { trans } = kubeflow;
    kubeflow.sections.add(sparkSection(kubeflow));
    const tracker = addDocument(app, restorer, {
      command: SparkCommandIDs.open,
      label: trans.__('Open Spark Application'),
      namespace: 'jupyter-kubeflow-spark',
      kinds: WORK_KINDS,
      create: (name, kind) => new SparkWidget(kubeflow, kind, name)
    });
    addSparkCommands(app.commands, kubeflow, () => inFront(app, tracker));
    addSparkWays(app.commands, kubeflow, notebooks);
    const category = trans.__('Kubeflow');
    FOR_PALETTE.forEach(command => palette?.addItem({ command, category }));
    launcher?.add({ command: SparkCommandIDs.startSession, category, rank: 3 });
  }
};
