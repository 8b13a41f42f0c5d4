import { Notification } from '@jupyterlab/apputils';

import type { IKubeflow } from '../tokens';
import type { ServersFeed } from './model/feed';
import { canKeep, warningWords } from './model/server';
import type { IServer } from './model/types';
import { IdleWarning } from './model/warning';

/** Say in the notebook that its server is about to be stopped, for as long as it is so. */
export function warnOfIdleness(kubeflow: IKubeflow, feed: ServersFeed): void {
  const { trans } = kubeflow;
  let said = '';
  const keep = async (server: IServer) => {
    if (!(await feed.keep(server.name))) {
      kubeflow.fail(trans.__('Keeping %1', server.title), feed.problem(server.name));
    }
  };
  const warning = new IdleWarning({
    show: server => {
      said = warningWords(server, trans);
      const dismiss = { label: trans.__('Dismiss'), callback: () => warning.closed() };
      return Notification.warning(said, {
        autoClose: false,
        actions: canKeep(server)
          ? [
              { label: trans.__('Keep'), displayType: 'accent', callback: () => void keep(server) },
              dismiss
            ]
          : [dismiss]
      });
    },
    update: (id, server) => {
      const words = warningWords(server, trans);
      if (words === said) {
        return Notification.manager.has(id);
      }
      said = words;
      return Notification.update({ id, message: words });
    },
    dismiss: id => Notification.dismiss(id)
  });
  feed.changed.connect(() => warning.take(feed.current));
}
