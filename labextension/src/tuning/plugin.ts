import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';

import { addDocument, inFront } from '../app/documents';
import type { IKubeflow as Services } from '../tokens';
import { IKubeflow, PLUGIN } from '../tokens';
import { addTuningCommands, EXPERIMENT, TuningCommands } from './commands';
import { ExperimentView } from './experiment';
import { tuningSection } from './section';

/** Experiments: in the panel, in a table, and each in a view of its own. */
export const tuningPlugin: JupyterFrontEndPlugin<void> = {
  id: `${PLUGIN}:tuning`,
  description: 'Views and commands for tuning.',
  autoStart: true,
  requires: [IKubeflow],
  optional: [ILayoutRestorer, ICommandPalette, INotebookTracker],
  activate: (
    app: JupyterFrontEnd,
    kubeflow: Services,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    notebooks: INotebookTracker | null
  ): void => {
    const { contents } = app.serviceManager;
    kubeflow.sections.add(tuningSection(kubeflow, { notebooks, contents }));
    const tracker = addDocument(app, restorer, {
      command: TuningCommands.open,
      label: kubeflow.trans.__('Open Experiment'),
      namespace: 'jupyter-kubeflow-experiment',
      kinds: [EXPERIMENT],
      create: name => new ExperimentView(kubeflow, name)
    });
    addTuningCommands({
      commands: app.commands,
      kubeflow,
      notebooks,
      contents,
      current: () => inFront(app, tracker)
    });
    const category = kubeflow.trans.__('Kubeflow');
    Object.values(TuningCommands)
      .filter(command => command !== TuningCommands.open)
      .forEach(command => palette?.addItem({ command, category }));
  }
};
