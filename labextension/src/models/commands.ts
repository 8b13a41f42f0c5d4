import { Notification } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { IVerb } from '../app/verbs';
import { addVerbs } from '../app/verbs';
import { kubeflowIcon } from '../icons';
import type { IWork } from '../model/types';
import type { IKubeflow } from '../tokens';
import { CommandIDs } from '../tokens';
import { modelIcon } from './icons';
import { CHAMPION, isArchived, mainVersion, modelCode } from './model/model';
import type { ICode, IModel } from './model/types';
import { MODEL } from './model/types';

export namespace ModelCommands {
  export const open = 'kubeflow:open-model';
  export const showAll = 'kubeflow:open-models';
  export const compare = 'kubeflow:compare-models';
  export const register = 'kubeflow:register-model';
  export const registerFile = 'kubeflow:register-file-as-model';
  export const serve = 'kubeflow:serve-model';
  export const alias = 'kubeflow:set-model-alias';
  export const promote = 'kubeflow:promote-model';
  export const copy = 'kubeflow:copy-model-version';
  export const archive = 'kubeflow:archive-model';
  export const restore = 'kubeflow:restore-model';
  export const removeVersion = 'kubeflow:delete-model-version';
  export const remove = 'kubeflow:delete-model';
  export const copyCode = 'kubeflow:copy-model-as-code';
}

/** What the endpoints' part of the page registers. */
export const SERVE = 'kubeflow:serve';

type Args = ReadonlyPartialJSONObject;

/** Which model and version is in front, for commands of the palette. */
export interface IFront {
  readonly kind: string;
  readonly name: string;
  readonly version?: string;
}

export function pathOf(name: string, verb?: string): string {
  const path = `registeredmodels/${encodeURIComponent(name)}`;
  return verb ? `${path}:${verb}` : path;
}

export function ask<T>(
  kubeflow: IKubeflow,
  name: string,
  verb: string,
  body: object = {},
  signal?: AbortSignal
): Promise<T> {
  return kubeflow.request<T>(pathOf(name, verb), { method: 'POST', body, signal });
}

/** Read the model as it is now, so that rows need not wait for the event. */
async function reread(kubeflow: IKubeflow, name: string): Promise<void> {
  const item = await kubeflow.request<IModel>(pathOf(name));
  kubeflow.resources.list(MODEL).lend([item]);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value ? value : undefined;
}

const VERSION_ARGS = {
  args: {
    type: 'object',
    properties: {
      name: { type: 'string', description: 'Model; the one in front without it' },
      version: { type: 'string', description: 'Version; the selected one, or the newest' },
      alias: { type: 'string' },
      to: { type: 'string', description: 'Model that gets the copy' }
    }
  }
};

/** Let an alias mean a version, or nothing any more; a click takes it back. */
export async function setAlias(
  kubeflow: IKubeflow,
  name: string,
  alias: string,
  version: string | null
): Promise<void> {
  const { trans } = kubeflow;
  const item = kubeflow.resources.list(MODEL).get(name) as IModel | undefined;
  const before = item?.status.aliases?.[alias] ?? null;
  await ask(kubeflow, name, 'alias', { alias, version });
  await reread(kubeflow, name);
  const said = version
    ? before
      ? trans.__('%1 now means version %2 of %3; before it was %4.', alias, version, name, before)
      : trans.__('%1 now means version %2 of %3.', alias, version, name)
    : trans.__('%1 means nothing any more.', alias);
  Notification.success(said, {
    autoClose: 8000,
    actions: [
      {
        label: trans.__('Undo'),
        callback: () =>
          void setAlias(kubeflow, name, alias, before).catch(error =>
            kubeflow.fail(trans.__('Taking the alias back'), error)
          )
      }
    ]
  });
}

export function addModelCommands(
  commands: CommandRegistry,
  kubeflow: IKubeflow,
  current: () => IFront | null
): void {
  const { trans } = kubeflow;
  addVerbs(
    {
      commands,
      kubeflow,
      kinds: [MODEL],
      nothing: trans.__('Open or select a model first.'),
      confirm: names => ({
        title: trans._n('Delete this model?', 'Delete %1 models?', names.length),
        body: trans.__(
          '%1: all versions, with their metrics and files that nothing else refers to, will be gone. To keep them out of the way, archive.',
          names.slice(0, 5).join(', ') + (names.length > 5 ? '…' : '')
        )
      }),
      current
    },
    lifeVerbs(kubeflow, current)
  );
  addVersionCommands(commands, kubeflow, current);
  addCreateCommands(commands, kubeflow);
}

function lifeVerbs(kubeflow: IKubeflow, current: () => IFront | null): IVerb[] {
  const { trans } = kubeflow;
  const never = () => null;
  const stateOf = (item: IWork) => isArchived((item as IModel).spec);
  const body = (args: Args) => (text(args.version) ? { version: args.version } : {});
  const after = (_: unknown, name: string) => reread(kubeflow, name).catch(() => undefined);
  return [
    {
      command: ModelCommands.archive,
      label: trans.__('Archive Model'),
      verb: 'archive',
      doing: title => trans.__('Archiving %1', title),
      whyNot: item => (stateOf(item) ? trans.__('It is archived already.') : null),
      body,
      after
    },
    {
      command: ModelCommands.restore,
      label: trans.__('Restore Archived Model'),
      verb: 'restore',
      doing: title => trans.__('Restoring %1', title),
      whyNot: never,
      body,
      after
    },
    {
      command: ModelCommands.copyCode,
      label: trans.__('Copy Model as Code'),
      verb: 'code',
      doing: title => trans.__('Writing %1 as code', title),
      whyNot: never,
      body: args => body({ version: args.version ?? current()?.version ?? null }),
      after: (reply, name) => kubeflow.copyCode((reply as ICode).python ?? modelCode(name))
    },
    {
      command: ModelCommands.remove,
      label: trans.__('Delete Model…'),
      verb: 'delete',
      doing: title => trans.__('Deleting %1', title),
      whyNot: item =>
        (item as IModel).status.endpoints?.length
          ? trans.__('An endpoint serves it: stop that first.')
          : null
    }
  ];
}

interface ITarget {
  name: string;
  version?: string;
}

function targetOf(args: Args, kubeflow: IKubeflow, current: () => IFront | null): ITarget | null {
  const given = Array.isArray(args.names) ? text(args.names[0]) : text(args.name);
  const front = current();
  const name = given ?? front?.name;
  if (!name) {
    return null;
  }
  const model = kubeflow.resources.list(MODEL).get(name) as IModel | undefined;
  const main = model ? mainVersion(model)?.version : undefined;
  const selected = given && front?.name !== given ? undefined : front?.version;
  return { name, version: text(args.version) ?? selected ?? main };
}

/** What is done to one version: the one given, the one selected in the view in front, or the champion. */
function addVersionCommands(
  commands: CommandRegistry,
  kubeflow: IKubeflow,
  current: () => IFront | null
): void {
  const { trans } = kubeflow;
  const nothing = trans.__('Open or select a model first.');
  const add = (
    command: string,
    label: string,
    why: (args: Args, target: ITarget) => string | null,
    run: (args: Args, target: ITarget) => Promise<unknown>
  ) => {
    const reason = (args: Args) => {
      const target = targetOf(args, kubeflow, current);
      return !target
        ? nothing
        : target.version
          ? why(args, target)
          : trans.__('It has no version yet.');
    };
    commands.addCommand(command, {
      label,
      icon: modelIcon,
      caption: args => reason(args) ?? '',
      isEnabled: args => reason(args) === null,
      describedBy: VERSION_ARGS,
      execute: async args => {
        const target = targetOf(args, kubeflow, current)!;
        await run(args, target).catch(error => kubeflow.fail(label, error));
      }
    });
  };
  const can = () => null;
  add(
    ModelCommands.serve,
    trans.__('Serve Model'),
    (_, { name, version }) => kubeflow.whyNot(SERVE, { model: name, version }),
    (_, { name, version }) => kubeflow.execute(SERVE, { model: name, version })
  );
  add(ModelCommands.promote, trans.__('Promote Model Version to Champion'), can, (_, target) =>
    setAlias(kubeflow, target.name, CHAMPION, target.version!)
  );
  add(
    ModelCommands.alias,
    trans.__('Set Alias of Model Version…'),
    can,
    (args, { name, version }) =>
      text(args.alias)
        ? setAlias(kubeflow, name, text(args.alias)!, version!)
        : kubeflow.open(MODEL, name, { version: version!, doing: 'alias' })
  );
  add(ModelCommands.copy, trans.__('Copy Model Version to Another Model…'), can, (args, target) =>
    text(args.to)
      ? copyVersion(kubeflow, target, text(args.to)!, text(args.alias))
      : kubeflow.open(MODEL, target.name, { version: target.version!, doing: 'copy' })
  );
  add(ModelCommands.removeVersion, trans.__('Delete Model Version…'), can, (args, target) =>
    args.confirmed === true
      ? removeVersion(kubeflow, target)
      : kubeflow.open(MODEL, target.name, { version: target.version!, doing: 'delete' })
  );
}

async function copyVersion(
  kubeflow: IKubeflow,
  target: ITarget,
  to: string,
  alias?: string
): Promise<void> {
  const { trans } = kubeflow;
  const body = alias ? { version: target.version, alias, to } : { version: target.version, to };
  await ask(kubeflow, target.name, alias ? 'promote' : 'copy', body);
  await reread(kubeflow, to);
  await kubeflow.resources.list(MODEL).refresh();
  Notification.success(
    trans.__('Version %1 of %2 is now in %3 too.', target.version, target.name, to),
    {
      autoClose: 6000,
      actions: [{ label: trans.__('Show'), callback: () => void kubeflow.open(MODEL, to) }]
    }
  );
}

async function removeVersion(kubeflow: IKubeflow, target: ITarget): Promise<void> {
  await ask(kubeflow, target.name, 'remove', { version: target.version });
  await reread(kubeflow, target.name);
}

function addCreateCommands(commands: CommandRegistry, kubeflow: IKubeflow): void {
  const { trans } = kubeflow;
  commands.addCommand(ModelCommands.register, {
    label: trans.__('Register Model…'),
    icon: kubeflowIcon,
    describedBy: {
      args: {
        type: 'object',
        properties: {
          name: { type: 'string' },
          path: { type: 'string' },
          from: { type: 'object', description: 'kind, name, step and value of what made it' }
        }
      }
    },
    execute: args =>
      kubeflow.execute(CommandIDs.create, { section: 'registry', given: given(args) })
  });
  commands.addCommand(CommandIDs.registerMade, {
    label: trans.__('Register as Model…'),
    icon: modelIcon,
    caption: args => whyNotMade(kubeflow, args) ?? '',
    isEnabled: args => whyNotMade(kubeflow, args) === null,
    describedBy: {
      args: {
        type: 'object',
        required: ['kind', 'name'],
        properties: {
          kind: { type: 'string', enum: ['Run', 'TrainJob', 'Experiment', 'Trial'] },
          name: { type: 'string' },
          step: { type: 'string' },
          value: { type: 'string' }
        }
      }
    },
    execute: ({ kind, name, step, value }) =>
      kubeflow.execute(ModelCommands.register, {
        from: {
          kind: String(kind),
          name: String(name),
          ...(text(step) && { step: text(step) }),
          ...(text(value) && { value: text(value) })
        },
        ...(text(value) && { name: text(value) })
      })
  });
  commands.addCommand(ModelCommands.showAll, {
    label: trans.__('Show All Models'),
    icon: kubeflowIcon,
    describedBy: { args: { type: 'object', properties: {} } },
    execute: () => kubeflow.openTable('registry')
  });
}

/** A run's values are there as soon as their step is over; what a job made, when the job is. */
function whyNotMade(kubeflow: IKubeflow, args: Args): string | null {
  const { trans, resources } = kubeflow;
  const registry = resources.status?.cluster.capabilities?.registry;
  if (!registry?.available) {
    return registry?.reason ?? trans.__('There is no registry here.');
  }
  const item = resources.list(String(args.kind)).get(String(args.name));
  return item && !args.value && item.status.phase !== 'SUCCEEDED'
    ? trans.__('It has not succeeded.')
    : null;
}

function given(args: Args): ReadonlyPartialJSONObject {
  const known = ['name', 'path', 'from', 'description', 'metrics'];
  return Object.fromEntries(Object.entries(args).filter(([name]) => known.includes(name)));
}
