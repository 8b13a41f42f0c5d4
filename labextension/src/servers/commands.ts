import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';

import { kubeflowIcon } from '../icons';
import type { IKubeflow } from '../tokens';
import { CommandIDs } from '../tokens';
import type { ServersFeed } from './model/feed';
import { stopQuestion, whyNot } from './model/server';

export const SERVERS = 'servers';

export namespace ServerCommands {
  export const show = 'kubeflow:open-servers';
  export const create = 'kubeflow:new-server';
  export const keep = 'kubeflow:keep-server';
  export const stop = 'kubeflow:stop-server';
}

/** What the palette can do with servers: the one of this page, and the ways to the others. */
export function addServerCommands(
  commands: CommandRegistry,
  kubeflow: IKubeflow,
  feed: ServersFeed,
  isHere: () => boolean
): void {
  const { trans } = kubeflow;
  const none = { args: { type: 'object', properties: {} } };
  const nowhere = () =>
    isHere() ? null : trans.__('This server was not started by a JupyterHub.');
  const ask = async (given: { form?: boolean }) => {
    await kubeflow.execute(CommandIDs.showPanel);
    kubeflow.sections.askForm({ section: SERVERS, given });
  };
  const add = (
    command: string,
    label: string,
    execute: () => unknown,
    why: () => string | null = nowhere
  ) =>
    commands.addCommand(command, {
      label,
      icon: kubeflowIcon,
      caption: () => why() ?? '',
      isEnabled: () => why() === null,
      describedBy: none,
      execute
    });
  add(ServerCommands.show, trans.__('Show Servers'), () => ask({}));
  add(ServerCommands.create, trans.__('New Server…'), () => ask({ form: true }));
  const why = (action: 'keep' | 'stop') => () =>
    nowhere() ?? (feed.current ? whyNot(action, feed.current, trans) : trans.__('Not known yet.'));
  add(
    ServerCommands.keep,
    trans.__('Keep This Server'),
    () => perform(kubeflow, feed, 'keep'),
    why('keep')
  );
  add(
    ServerCommands.stop,
    trans.__('Stop This Server…'),
    () => perform(kubeflow, feed, 'stop'),
    why('stop')
  );
  feed.changed.connect(() => {
    commands.notifyCommandChanged(ServerCommands.keep);
    commands.notifyCommandChanged(ServerCommands.stop);
  });
}

async function perform(
  kubeflow: IKubeflow,
  feed: ServersFeed,
  verb: 'keep' | 'stop'
): Promise<void> {
  const { trans } = kubeflow;
  const server = feed.current;
  if (!server || (verb === 'stop' && !(await agreed(kubeflow, stopQuestion(server, trans))))) {
    return;
  }
  if (!(await feed[verb](server.name))) {
    const doing =
      verb === 'stop'
        ? trans.__('Stopping %1', server.title)
        : trans.__('Keeping %1', server.title);
    kubeflow.fail(doing, feed.problem(server.name));
  }
}

async function agreed(kubeflow: IKubeflow, question: string | null): Promise<boolean> {
  const { trans } = kubeflow;
  const answer = await showDialog({
    title: trans.__('Stop this server?'),
    body: question ?? '',
    buttons: [
      Dialog.cancelButton({ label: trans.__('Keep') }),
      Dialog.warnButton({ label: trans.__('Stop') })
    ]
  });
  return answer.button.accept;
}
