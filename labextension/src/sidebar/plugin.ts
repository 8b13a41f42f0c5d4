import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IRunningSessionManagers } from '@jupyterlab/running';
import { IStateDB } from '@jupyterlab/statedb';

import { kubeflowIcon } from '../icons';
import type { IKubeflow as Services } from '../tokens';
import { CommandIDs, IKubeflow, PLUGIN } from '../tokens';
import { addOpening } from './commands';
import { Memory } from './memory';
import { KubeflowPanel } from './panel';
import { addRunning } from './running';

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
    kubeflow.sections.opened.connect((_, { kind, name }) => memory.see(`${kind}/${name}`));
    addOpening(app, kubeflow, panel.id);
    if (running) {
      addRunning(running, kubeflow);
    }
  }
};
