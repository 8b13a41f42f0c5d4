import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker } from '@jupyterlab/notebook';

import { addComparison, addDocument, inFront } from '../app/documents';
import type { IKubeflow as Services } from '../tokens';
import { IKubeflow, PLUGIN } from '../tokens';
import { addCreateCommands, addJobCommands, JOB_KINDS, TrainingCommandIDs } from './commands';
import { CompareJobsWidget } from './compare/widget';
import { trainingSection } from './section';
import { JobWidget } from './widget';

const NEEDS_ARGUMENTS = new Set<string>([TrainingCommandIDs.open, TrainingCommandIDs.compare]);

/** Training jobs: their section, their view, their form and their commands. */
export const trainingPlugin: JupyterFrontEndPlugin<void> = {
  id: `${PLUGIN}:training`,
  description: 'Training jobs: start, follow, stop and resume them.',
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
    kubeflow.sections.add(trainingSection(kubeflow));
    const tracker = addDocument(app, restorer, {
      command: TrainingCommandIDs.open,
      label: trans.__('Open Training Job'),
      namespace: 'jupyter-kubeflow-training',
      kinds: JOB_KINDS,
      create: (name, kind) => new JobWidget(kubeflow, kind, name)
    });
    addComparison(app, restorer, {
      command: TrainingCommandIDs.compare,
      label: trans.__('Compare Training Jobs'),
      namespace: 'jupyter-kubeflow-compare-jobs',
      create: names => new CompareJobsWidget(kubeflow, names)
    });
    addJobCommands(app.commands, kubeflow, () => inFront(app, tracker));
    addCreateCommands(app.commands, kubeflow, notebooks);
    const category = trans.__('Kubeflow');
    Object.values(TrainingCommandIDs)
      .filter(command => !NEEDS_ARGUMENTS.has(command))
      .forEach(command => palette?.addItem({ command, category }));
    launcher?.add({ command: TrainingCommandIDs.create, category, rank: 2 });
  }
};
