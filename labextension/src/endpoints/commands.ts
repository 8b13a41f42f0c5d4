import { runIcon, stopIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { codeVerbs } from '../app/codeverbs';
import type { IVerb, IVerbContext } from '../app/verbs';
import { addVerbs } from '../app/verbs';
import { endpointIcon } from '../icons';
import type { IWork } from '../model/types';
import type { IKubeflow } from '../tokens';
import { CommandIDs } from '../tokens';
import type { EndpointAction } from './model/endpoint';
import { getCode, urlOf, whyNot } from './model/endpoint';
import type { IEndpoint } from './model/types';

export const ENDPOINT = 'InferenceService';
export const PLURAL = 'inferenceservices';

export namespace EndpointCommands {
  export const open = 'kubeflow:open-endpoint';
  export const serve = 'kubeflow:serve';
  export const showAll = 'kubeflow:open-endpoints';
  export const stop = 'kubeflow:stop-endpoint';
  export const start = 'kubeflow:start-endpoint';
  export const rollback = 'kubeflow:roll-back-endpoint';
  export const promote = 'kubeflow:promote-variant';
  export const removeVariant = 'kubeflow:remove-variant';
  export const remove = 'kubeflow:delete-endpoint';
  export const copyUrl = 'kubeflow:copy-endpoint-address';
  export const copyCode = 'kubeflow:copy-endpoint-as-code';
  export const exportYaml = 'kubeflow:export-endpoint';
}

/** Commands of the palette: the others need to be told what they are about. */
export const FOR_PALETTE: readonly string[] = [
  EndpointCommands.serve,
  EndpointCommands.showAll,
  EndpointCommands.stop,
  EndpointCommands.start,
  EndpointCommands.rollback,
  EndpointCommands.remove,
  EndpointCommands.copyUrl,
  EndpointCommands.copyCode,
  EndpointCommands.exportYaml
];

type Args = ReadonlyPartialJSONObject;

/** One verb of one endpoint. */
export function ask<T>(
  kubeflow: IKubeflow,
  name: string,
  verb: string,
  body: object = {},
  signal?: AbortSignal
): Promise<T> {
  const path = `${PLURAL}/${encodeURIComponent(name)}:${verb}`;
  return kubeflow.request<T>(path, { method: 'POST', body, signal });
}

export function addEndpointCommands(
  commands: CommandRegistry,
  kubeflow: IKubeflow,
  current: IVerbContext['current']
): void {
  const { trans } = kubeflow;
  const context: IVerbContext = {
    commands,
    kubeflow,
    kinds: [ENDPOINT],
    nothing: trans.__('Open or select an endpoint first.'),
    confirm: names => ({
      title: trans._n('Delete this endpoint?', 'Delete %1 endpoints?', names.length),
      body: trans.__(
        '%1: the address no longer answers, and its request log and measurements will be gone. The models stay in the registry.',
        names.slice(0, 5).join(', ') + (names.length > 5 ? '…' : '')
      )
    }),
    current
  };
  const why = (action: EndpointAction) => (item: IWork) => whyNot(action, item as IEndpoint, trans);
  addVerbs(context, [...lifeVerbs(kubeflow, why), ...takeVerbs(kubeflow)]);
  addRollback(context);
  addWays(commands, kubeflow);
}

type Why = (action: EndpointAction) => (item: IWork) => string | null;

function lifeVerbs(kubeflow: IKubeflow, why: Why): IVerb[] {
  const { trans } = kubeflow;
  const variant = (args: Args) => ({ variant: String(args.variant ?? '') });
  return [
    {
      command: EndpointCommands.stop,
      label: trans.__('Stop Endpoint'),
      icon: stopIcon,
      verb: 'stop',
      doing: title => trans.__('Stopping %1', title),
      whyNot: why('stop')
    },
    {
      command: EndpointCommands.start,
      label: trans.__('Start Endpoint'),
      icon: runIcon,
      verb: 'start',
      doing: title => trans.__('Starting %1', title),
      whyNot: why('start')
    },
    {
      command: EndpointCommands.promote,
      label: trans.__('Promote Variant'),
      verb: 'promote',
      doing: title => trans.__('Promoting a variant of %1', title),
      whyNot: () => null,
      body: variant
    },
    {
      command: EndpointCommands.removeVariant,
      label: trans.__('Remove Variant'),
      verb: 'remove',
      doing: title => trans.__('Removing a variant of %1', title),
      whyNot: () => null,
      body: variant
    },
    {
      command: EndpointCommands.remove,
      label: trans.__('Delete Endpoint…'),
      verb: 'delete',
      doing: title => trans.__('Deleting %1', title),
      whyNot: why('delete')
    }
  ];
}

function takeVerbs(kubeflow: IKubeflow): IVerb[] {
  const { trans } = kubeflow;
  return [
    {
      command: EndpointCommands.copyUrl,
      label: trans.__('Copy Address of Endpoint'),
      doing: title => trans.__('Copying the address of %1', title),
      whyNot: item =>
        urlOf(item as IEndpoint) ? null : trans.__('It has no address yet: it is starting.'),
      after: (_, name) => {
        const item = kubeflow.resources.list(ENDPOINT).get(name) as IEndpoint | undefined;
        return kubeflow.copyCode(
          item ? urlOf(item) : '',
          trans.__('The address is on the clipboard.')
        );
      }
    },
    ...codeVerbs(
      kubeflow,
      { command: EndpointCommands.copyCode, label: trans.__('Copy Endpoint as Code') },
      { command: EndpointCommands.exportYaml, label: trans.__('Export Endpoint as YAML') },
      getCode
    )
  ];
}

/** With a revision it is done; without, the view shows them to choose from. */
function addRollback(context: IVerbContext): void {
  const { commands, kubeflow } = context;
  const { trans } = kubeflow;
  const nameOf = (args: Args) =>
    typeof args.name === 'string' ? args.name : (context.current()?.name ?? null);
  commands.addCommand(EndpointCommands.rollback, {
    label: trans.__('Roll Back Endpoint…'),
    caption: args => (nameOf(args) ? '' : context.nothing),
    isEnabled: args => nameOf(args) !== null,
    describedBy: {
      args: {
        type: 'object',
        properties: {
          name: { type: 'string', description: 'Name; the one in front without it' },
          revision: { type: 'number', description: 'Number of the revision; asked for without it' }
        }
      }
    },
    execute: async args => {
      const name = nameOf(args) ?? '';
      if (typeof args.revision !== 'number') {
        await kubeflow.open(ENDPOINT, name, { tab: 'revisions' });
        return;
      }
      try {
        await ask(kubeflow, name, 'rollback', { revision: args.revision });
      } catch (error) {
        kubeflow.fail(trans.__('Rolling back %1', name), error);
      }
    }
  });
}

/** The ways to a new endpoint and to all of them. */
function addWays(commands: CommandRegistry, kubeflow: IKubeflow): void {
  const { trans } = kubeflow;
  commands.addCommand(EndpointCommands.serve, {
    label: trans.__('Serve a Model…'),
    icon: endpointIcon,
    describedBy: {
      args: {
        type: 'object',
        properties: {
          model: { type: 'string', description: 'Name of a registered model' },
          version: { type: 'string' },
          alias: { type: 'string' },
          endpoint: { type: 'string', description: 'Endpoint to put it into' }
        }
      }
    },
    execute: args =>
      kubeflow.execute(CommandIDs.create, { section: 'serving', given: servedBy(args) })
  });
  commands.addCommand(EndpointCommands.showAll, {
    label: trans.__('Show All Endpoints'),
    icon: endpointIcon,
    describedBy: { args: { type: 'object', properties: {} } },
    execute: () => kubeflow.openTable('serving')
  });
}

/** What the form starts from. */
function servedBy(args: Args): Args {
  const { model, version, alias, endpoint, place } = args;
  return {
    ...(model ? { model: String(model) } : {}),
    ...(version ? { version: String(version) } : alias ? { version: `@${String(alias)}` } : {}),
    ...(endpoint ? { endpoint: String(endpoint), place: String(place ?? 'beside') } : {})
  };
}
