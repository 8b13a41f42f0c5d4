import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { INotebookTools, INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';

import { IKubeflow, PLUGIN } from '../tokens';
import { IconSheet } from './cells/icons';
import { addCommands } from './commands';
import type { ShowSteps } from './controller';
import { NotebookController } from './controller';
import { StepTool } from './inspector/tool';

/** The notebook's own parts: cell chips, inspector, pipeline bar, problems and parameters. */
export const notebookPlugin: JupyterFrontEndPlugin<void> = {
  id: `${PLUGIN}:notebook`,
  description: 'Shows the pipeline of a notebook at its cells.',
  autoStart: true,
  requires: [IKubeflow, INotebookTracker],
  optional: [INotebookTools, ICommandPalette, ISettingRegistry, IStateDB],
  activate
};

function activate(
  app: JupyterFrontEnd,
  kubeflow: IKubeflow,
  tracker: INotebookTracker,
  tools: INotebookTools | null,
  palette: ICommandPalette | null,
  settings: ISettingRegistry | null,
  state: IStateDB | null
): void {
  const controllers = new Map<NotebookPanel, NotebookController>();
  const wishes = new Wishes(settings, () => controllers.forEach(item => item.update()));
  const tool = tools && addTool(tools, kubeflow, controllers);
  const inspect = (focus: boolean): void => {
    app.shell.activateById('jp-property-inspector');
    tool?.unfold();
    if (focus) {
      requestAnimationFrame(() => tool?.focusFirst());
    }
  };
  const icons = IconSheet.create(kubeflow);
  const services = {
    kubeflow,
    state,
    icons,
    contents: app.serviceManager.contents,
    showSteps: () => wishes.showSteps,
    inspect: () => inspect(false)
  };
  const attach = (panel: NotebookPanel): void => {
    const controller = new NotebookController(panel, services);
    controllers.set(panel, controller);
    panel.disposed.connect(() => controllers.delete(panel));
    controller.barState.changed.connect(() => app.commands.notifyCommandChanged());
    tool?.refresh();
  };
  tracker.forEach(attach);
  tracker.widgetAdded.connect((_, panel) => attach(panel));
  const current = (): NotebookController | null =>
    (tracker.currentWidget && controllers.get(tracker.currentWidget)) ?? null;
  const ids = addCommands({ commands: app.commands, kubeflow, current, inspect });
  ids.forEach(command => palette?.addItem({ command, category: kubeflow.trans.__('Kubeflow') }));
}

function addTool(
  tools: INotebookTools,
  kubeflow: IKubeflow,
  controllers: ReadonlyMap<NotebookPanel, NotebookController>
): StepTool {
  const tool = new StepTool(panel => controllers.get(panel) ?? null, kubeflow);
  const section = 'jupyter-kubeflow-step';
  tools.addSection({
    sectionName: section,
    label: kubeflow.trans.__('Pipeline Step'),
    rank: 0
  });
  tools.addItem({ tool, section });
  return tool;
}

/** The user's settings, with their defaults where there is no registry. */
class Wishes {
  constructor(registry: ISettingRegistry | null, changed: () => void) {
    void registry?.load(`${PLUGIN}:notebook`).then(
      settings => {
        const read = (): void => {
          this.showSteps = settings.get('showSteps').composite as ShowSteps;
          changed();
        };
        settings.changed.connect(read);
        read();
      },
      error => console.warn('Settings of the notebook pipeline cannot be read', error)
    );
  }

  showSteps: ShowSteps = 'auto';
}
