import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { LabIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { pluralOf } from '../model/kinds';
import type { IWork } from '../model/types';
import type { IKubeflow } from '../tokens';

type Args = ReadonlyPartialJSONObject;

/** One verb on a resource, as a command. */
export interface IVerb {
  readonly command: string;
  /** For the palette: *Stop Training Job*. */
  readonly label: string;
  readonly icon?: LabIcon;
  /** What the server calls it; `delete` is a DELETE, and nothing is asked of it without a verb. */
  readonly verb?: string;
  /** *Stopping %1*, for the toast when it fails. */
  doing(title: string): string;
  /** Why it cannot be done to this one now, or null. */
  whyNot(item: IWork): string | null;
  /** What is sent along. */
  body?(args: Args): object;
  /** What to do with the answer. */
  after?(reply: unknown, name: string, args: Args, kind: string): unknown;
}

export interface IVerbContext {
  readonly commands: CommandRegistry;
  readonly kubeflow: IKubeflow;
  /** Kinds that the verbs are about; the first where an argument does not say. */
  readonly kinds: readonly string[];
  /** *Open or select a training job first.* */
  readonly nothing: string;
  /** Asks before deleting: title and body of the question. */
  confirm(names: readonly string[]): { title: string; body: string };
  /** The one in front, for the palette. */
  current(): { kind: string; name: string } | null;
}

interface ITarget {
  kind: string;
  name: string;
}

const ARGS = {
  type: 'object',
  properties: {
    name: { type: 'string', description: 'Name; the one in front without it' },
    names: { type: 'array', items: { type: 'string' } },
    kind: { type: 'string' },
    confirmed: { type: 'boolean', description: 'Do not ask before deleting' }
  }
};

export function addVerbs(context: IVerbContext, verbs: readonly IVerb[]): void {
  for (const verb of verbs) {
    context.commands.addCommand(verb.command, {
      label: verb.label,
      icon: verb.icon,
      caption: args => reason(verb, args, context) ?? '',
      isEnabled: args => reason(verb, args, context) === null,
      describedBy: { args: ARGS },
      execute: args => perform(verb, args, context)
    });
  }
}

function targets(args: Args, context: IVerbContext): ITarget[] {
  const given = Array.isArray(args.names)
    ? args.names.map(String)
    : typeof args.name === 'string'
      ? [args.name]
      : null;
  if (!given) {
    const current = context.current();
    return current ? [current] : [];
  }
  const { resources } = context.kubeflow;
  const kindOf = (name: string) =>
    context.kinds.find(kind => resources.list(kind).get(name)) ?? context.kinds[0];
  return given.map(name => ({
    name,
    kind: typeof args.kind === 'string' ? args.kind : kindOf(name)
  }));
}

function reason(verb: IVerb, args: Args, context: IVerbContext): string | null {
  const chosen = targets(args, context);
  if (!chosen.length) {
    return context.nothing;
  }
  for (const { kind, name } of chosen) {
    const item = context.kubeflow.resources.list(kind).get(name);
    // One beyond the loaded page is unknown here, not on the server: the server decides.
    const why = item ? verb.whyNot(item) : null;
    if (why) {
      return why;
    }
  }
  return null;
}

async function perform(verb: IVerb, args: Args, context: IVerbContext): Promise<void> {
  const chosen = targets(args, context);
  const deletes = verb.verb === 'delete';
  if (deletes && args.confirmed !== true && !(await agreed(chosen, context))) {
    return;
  }
  for (const target of chosen) {
    await once(verb, target, args, context);
  }
  if (deletes) {
    const kinds = new Set(chosen.map(({ kind }) => kind));
    const lists = [...kinds].map(kind => context.kubeflow.resources.list(kind));
    await Promise.all(lists.map(list => list.refresh().catch(() => undefined)));
  }
}

async function agreed(chosen: readonly ITarget[], context: IVerbContext): Promise<boolean> {
  const { trans } = context.kubeflow;
  const answer = await showDialog({
    ...context.confirm(chosen.map(({ name }) => name)),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Keep') }),
      Dialog.warnButton({ label: trans.__('Delete') })
    ]
  });
  return answer.button.accept;
}

async function once(verb: IVerb, target: ITarget, args: Args, context: IVerbContext) {
  const { kubeflow } = context;
  const { kind, name } = target;
  const item = kubeflow.resources.list(kind).get(name);
  const title = (item && kubeflow.sections.view(kind)?.title(item)) ?? name;
  const path = `${pluralOf(kind)}/${encodeURIComponent(name)}`;
  try {
    const reply =
      verb.verb === undefined
        ? undefined
        : verb.verb === 'delete'
          ? await kubeflow.request(path, { method: 'DELETE' })
          : await kubeflow.request(`${path}:${verb.verb}`, {
              method: 'POST',
              body: verb.body?.(args) ?? {}
            });
    await verb.after?.(reply, name, args, kind);
  } catch (error) {
    kubeflow.fail(verb.doing(title), error);
  }
}

/** It shows up in the panel by itself; a toast only offers to go there. */
export function announce(kubeflow: IKubeflow, kind: string, item: IWork): void {
  const { name } = item.metadata;
  const title = kubeflow.sections.view(kind)?.title(item) ?? name;
  Notification.info(kubeflow.trans.__('%1 is on its way.', title), {
    autoClose: 5000,
    actions: [{ label: kubeflow.trans.__('Show'), callback: () => void kubeflow.open(kind, name) }]
  });
}
