import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IRunningSessionManagers } from '@jupyterlab/running';
import { IStateDB } from '@jupyterlab/statedb';

import { kubeflowIcon } from '../icons';
import { runTitle } from '../model/actions';
import { isActive } from '../model/states';
import type { IKubeflow as Services } from '../tokens';
import { CommandIDs, IKubeflow, PLUGIN } from '../tokens';
import { Memory } from './memory';
import { KubeflowPanel } from './panel';

/** Between JupyterLab's own panels and the rest of the extensions'. */
const RANK = 600;

/** The panel at the left, and the runs in JupyterLab's own list of what runs. */
export const sidebarPlugin: JupyterFrontEndPlugin<void> = {
  id: `${PLUGIN}:sidebar`,
  description: 'The Kubeflow panel.',
  autoStart: true,
  requires: [IKubeflow],
  optional: [ILayoutRestorer, IStateDB, ICommandPalette, IRunningSessionManagers],
  activate: (
    app: JupyterFrontEnd,
    kubeflow: Services,
    restorer: ILayoutRestorer | null,
    db: IStateDB | null,
    palette: ICommandPalette | null,
    running: IRunningSessionManagers | null
  ): void => {
    const { trans } = kubeflow;
    const memory = new Memory(db);
    void memory.load();
    const panel = new KubeflowPanel(kubeflow, memory);
    app.shell.add(panel, 'left', { rank: RANK });
    restorer?.add(panel, panel.id);
    app.commands.addCommand(CommandIDs.showPanel, {
      label: trans.__('Show Kubeflow Panel'),
      icon: kubeflowIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => app.shell.activateById(panel.id)
    });
    app.commands.addCommand(CommandIDs.refresh, {
      label: trans.__('Refresh Kubeflow Resources'),
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => kubeflow.resources.refresh()
    });
    const category = trans.__('Kubeflow');
    [CommandIDs.showPanel, CommandIDs.refresh].forEach(command =>
      palette?.addItem({ command, category })
    );
    app.commands.commandExecuted.connect((_, { id, args }) => {
      if (id === CommandIDs.openRun && typeof args.name === 'string') {
        memory.see(args.name);
      }
    });
    if (running) {
      addRunning(running, kubeflow);
    }
  }
};

function addRunning(running: IRunningSessionManagers, kubeflow: Services): void {
  const { trans, resources } = kubeflow;
  const stop = (name: string) => void kubeflow.execute(CommandIDs.stopRun, { name });
  const active = () => resources.runs.items.filter(run => isActive(run.status.phase));
  running.add({
    name: trans.__('Pipeline runs'),
    supportsMultipleViews: false,
    running: () =>
      active().map(run => ({
        label: () => runTitle(run),
        labelTitle: () => run.metadata.name,
        icon: () => kubeflowIcon,
        open: () => void kubeflow.openRun(run.metadata.name),
        shutdown: () => stop(run.metadata.name)
      })),
    shutdownAll: () => active().forEach(run => stop(run.metadata.name)),
    refreshRunning: () => undefined,
    runningChanged: resources.runs.changed,
    shutdownLabel: trans.__('Stop'),
    shutdownAllLabel: trans.__('Stop All'),
    shutdownAllConfirmationText: trans.__('Stop all pipeline runs?')
  });
}
