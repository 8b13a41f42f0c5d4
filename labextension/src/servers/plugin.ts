import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';

import { onWake } from '../app/live';
import type { IKubeflow as Services } from '../tokens';
import { IKubeflow, PLUGIN } from '../tokens';
import { addServerCommands, ServerCommands } from './commands';
import { PACE, ServersFeed } from './model/feed';
import { warnOfIdleness } from './notice';
import { serversPart } from './section';

/** The user's servers under a JupyterHub: their part of the panel, and the warning before an idle one is stopped. */
export const serversPlugin: JupyterFrontEndPlugin<void> = {
  id: `${PLUGIN}:servers`,
  description: 'The user’s servers under a JupyterHub.',
  autoStart: true,
  requires: [IKubeflow],
  optional: [ICommandPalette],
  activate: (app: JupyterFrontEnd, kubeflow: Services, palette: ICommandPalette | null): void => {
    const { trans, resources } = kubeflow;
    const feed = new ServersFeed({
      request: (path, body) =>
        kubeflow.request(path, body ? { method: 'POST', body } : { method: 'GET' }),
      later: (call, milliseconds) => {
        const timer = window.setTimeout(call, milliseconds);
        return () => window.clearTimeout(timer);
      },
      now: () => Date.now(),
      hidden: () => document.hidden
    });
    const isHere = () => resources.status?.cluster.capabilities?.servers?.available === true;
    kubeflow.sections.addPart(serversPart(kubeflow, feed));
    addServerCommands(app.commands, kubeflow, feed, isHere);
    Object.values(ServerCommands).forEach(command =>
      palette?.addItem({ command, category: trans.__('Kubeflow') })
    );
    // Nothing is asked where there is no Hub.
    const begin = () => {
      if (isHere()) {
        resources.connectionChanged.disconnect(begin);
        feed.watch(PACE.warning);
        warnOfIdleness(kubeflow, feed);
        onWake(() => feed.wake());
      }
    };
    resources.connectionChanged.connect(begin);
    begin();
  }
};
