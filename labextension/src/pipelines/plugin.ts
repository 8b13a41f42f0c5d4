import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import type { MainAreaWidget } from '@jupyterlab/apputils';
import { ICommandPalette, WidgetTracker } from '@jupyterlab/apputils';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker } from '@jupyterlab/notebook';

import { addComparison, show, wrap } from '../app/documents';
import { kubeflowIcon } from '../icons';
import type { IKubeflow as Services, StepTab } from '../tokens';
import { CommandIDs, IKubeflow, PLUGIN } from '../tokens';
import { addPipelineFiles } from './compiled/commands';
import { addNotebookCommands, addRunCommands } from './commands';
import type { IRunPlace } from './run/view';
import { pipelinesSection } from './section';
import { CompareWidget, RunWidget } from './widgets';

/** Runs in the main area: the table, one run, and several side by side. */
export const pipelinesPlugin: JupyterFrontEndPlugin<void> = {
  id: `${PLUGIN}:pipelines`,
  description: 'Views and commands for pipeline runs.',
  autoStart: true,
  requires: [IKubeflow],
  optional: [ILayoutRestorer, ICommandPalette, ILauncher, INotebookTracker, IFileBrowserFactory],
  activate: (
    app: JupyterFrontEnd,
    kubeflow: Services,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    notebooks: INotebookTracker | null,
    files: IFileBrowserFactory | null
  ): void => {
    const runs = addRunView(app, kubeflow, restorer);
    addRunsCommand(app, kubeflow);
    addPipelineFiles(app, kubeflow, restorer, palette, files);
    addComparison(app, restorer, {
      command: CommandIDs.openCompare,
      label: kubeflow.trans.__('Compare Runs'),
      namespace: 'jupyter-kubeflow-compare',
      asks: true,
      create: names => new CompareWidget(kubeflow, names)
    });
    const current = () => {
      const front = app.shell.currentWidget;
      return runs.find(widget => widget === front)?.content.run ?? null;
    };
    addRunCommands(app.commands, { kubeflow, current });
    addNotebookCommands(app.commands, kubeflow, notebooks, app.serviceManager.contents);
    kubeflow.sections.add(pipelinesSection(kubeflow));
    addToPalette(kubeflow, palette, launcher);
    // Whether a command can be used follows from what is in front and how its run stands.
    const refresh = () => app.commands.notifyCommandChanged();
    kubeflow.resources.runs.changed.connect((_, change) => change.order && refresh());
    app.shell.currentChanged?.connect(refresh);
  }
};

/** Show a widget, or bring the one that is there to the front. */
function addRunView(
  app: JupyterFrontEnd,
  kubeflow: Services,
  restorer: ILayoutRestorer | null
): WidgetTracker<MainAreaWidget<RunWidget>> {
  const tracker = new WidgetTracker<MainAreaWidget<RunWidget>>({
    namespace: 'jupyter-kubeflow-run'
  });
  app.commands.addCommand(CommandIDs.openRun, {
    label: kubeflow.trans.__('Open Run'),
    icon: kubeflowIcon,
    isEnabled: args => Boolean(args.name),
    describedBy: {
      args: {
        type: 'object',
        required: ['name'],
        properties: {
          name: { type: 'string' },
          step: { type: 'string' },
          tab: { type: 'string', enum: ['summary', 'values', 'log', 'code'] },
          picture: { type: 'string', enum: ['graph', 'timeline'] }
        }
      }
    },
    execute: args => {
      const name = String(args.name);
      const known = tracker.find(widget => widget.content.run === name);
      const content = known?.content ?? new RunWidget(kubeflow, name);
      const widget = known ?? wrap(content);
      const { place } = content;
      content.place = {
        step: typeof args.step === 'string' ? args.step : place.step,
        tab: (args.tab as StepTab | undefined) ?? place.tab,
        picture: (args.picture as IRunPlace['picture'] | undefined) ?? place.picture
      };
      if (!known) {
        content.placeChanged.connect(() => void tracker.save(widget));
        void tracker.add(widget);
      }
      show(app, widget);
      return widget;
    }
  });
  void restorer?.restore(tracker, {
    command: CommandIDs.openRun,
    args: ({ content }) => {
      const { step, tab, picture } = content.place;
      return { name: content.run, tab, picture, ...(step ? { step } : {}) };
    },
    name: ({ content }) => content.run
  });
  return tracker;
}

/** The table of runs under the name that palette and launcher know. */
function addRunsCommand(app: JupyterFrontEnd, kubeflow: Services): void {
  app.commands.addCommand(CommandIDs.openRuns, {
    label: kubeflow.trans.__('Show All Runs'),
    icon: kubeflowIcon,
    describedBy: { args: { type: 'object', properties: { filter: { type: 'string' } } } },
    execute: args =>
      kubeflow.openTable('pipelines', typeof args.filter === 'string' ? args.filter : undefined)
  });
}

function addToPalette(
  kubeflow: Services,
  palette: ICommandPalette | null,
  launcher: ILauncher | null
): void {
  const category = kubeflow.trans.__('Kubeflow');
  const commands = [
    CommandIDs.runCurrent,
    CommandIDs.openRuns,
    CommandIDs.openCompare,
    CommandIDs.stopRun,
    CommandIDs.resumeRun,
    CommandIDs.rerunRun,
    CommandIDs.reproduceRun,
    CommandIDs.exportRun,
    CommandIDs.deleteRun,
    CommandIDs.copyName,
    CommandIDs.copyCode
  ];
  commands.forEach(command => palette?.addItem({ command, category }));
  launcher?.add({ command: CommandIDs.openRuns, category, rank: 1 });
}
