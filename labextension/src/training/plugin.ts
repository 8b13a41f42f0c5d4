import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import type { MainAreaWidget } from '@jupyterlab/apputils';
import { ICommandPalette, WidgetTracker } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker } from '@jupyterlab/notebook';

import { addDocument, inFront, show, wrap } from '../app/documents';
import { compareIcon } from '../icons';
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
    addCompare(app, kubeflow, restorer);
    addJobCommands(app.commands, kubeflow, () => inFront(app, tracker));
    addCreateCommands(app.commands, kubeflow, notebooks);
    const category = trans.__('Kubeflow');
    Object.values(TrainingCommandIDs)
      .filter(command => !NEEDS_ARGUMENTS.has(command))
      .forEach(command => palette?.addItem({ command, category }));
    launcher?.add({ command: TrainingCommandIDs.create, category, rank: 2 });
  }
};

function addCompare(
  app: JupyterFrontEnd,
  kubeflow: Services,
  restorer: ILayoutRestorer | null
): void {
  const tracker = new WidgetTracker<MainAreaWidget<CompareJobsWidget>>({
    namespace: 'jupyter-kubeflow-compare-jobs'
  });
  app.commands.addCommand(TrainingCommandIDs.compare, {
    label: kubeflow.trans.__('Compare Training Jobs'),
    icon: compareIcon,
    isEnabled: args => Array.isArray(args.names) && args.names.length > 1,
    describedBy: {
      args: {
        type: 'object',
        required: ['names'],
        properties: { names: { type: 'array', items: { type: 'string' } } }
      }
    },
    execute: args => {
      const names = (args.names as string[]).map(String).slice(0, 10);
      const known = tracker.find(widget => widget.content.names.join() === names.join());
      const widget = known ?? wrap(new CompareJobsWidget(kubeflow, names));
      if (!known) {
        widget.content.placeChanged.connect(() => void tracker.save(widget));
        void tracker.add(widget);
      }
      show(app, widget);
      return widget;
    }
  });
  void restorer?.restore(tracker, {
    command: TrainingCommandIDs.compare,
    args: ({ content }) => ({ names: [...content.names] }),
    name: ({ content }) => content.names.join()
  });
}
