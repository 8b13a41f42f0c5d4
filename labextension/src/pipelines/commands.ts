import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';
import { refreshIcon, runIcon, stopIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { kubeflowIcon } from '../icons';
import type { RunAction } from '../model/actions';
import { actionCode, compareCode, runCode, runTitle, whyNot } from '../model/actions';
import type { IRun, Json } from '../model/types';
import type { IKubeflow } from '../tokens';
import { CommandIDs } from '../tokens';
import { saveAs, saveText } from '../ui/save';
import { whyNotText } from './words';

type Args = ReadonlyPartialJSONObject;

/** What commands need beside the shared services. */
export interface ICommandContext {
  kubeflow: IKubeflow;
  /** The run in front, for the palette, where commands have no arguments. */
  current(): string | null;
}

function names(args: Args, context: ICommandContext): string[] {
  if (Array.isArray(args.names)) {
    return args.names.map(String);
  }
  const name = typeof args.name === 'string' ? args.name : context.current();
  return name ? [name] : [];
}

/** The verbs on one run; what they do on the server has the same name. */
export function addRunCommands(commands: CommandRegistry, context: ICommandContext): void {
  const { trans } = context.kubeflow;
  const verbs: [string, RunAction, string, typeof runIcon?][] = [
    [CommandIDs.stopRun, 'stop', trans.__('Stop Run'), stopIcon],
    [CommandIDs.resumeRun, 'resume', trans.__('Resume Run from Failed Step'), runIcon],
    [CommandIDs.rerunRun, 'rerun', trans.__('Rerun'), refreshIcon],
    [CommandIDs.reproduceRun, 'reproduce', trans.__('Reproduce Run')],
    [CommandIDs.exportRun, 'export', trans.__('Export Run (Executed Notebook, or YAML)')],
    [CommandIDs.deleteRun, 'delete', trans.__('Delete Run…')]
  ];
  for (const [id, action, label, icon] of verbs) {
    commands.addCommand(id, {
      label,
      icon,
      caption: args => reason(action, args, context) ?? '',
      isEnabled: args => reason(action, args, context) === null,
      describedBy: { args: RUN_ARGS },
      execute: args => perform(action, args, context)
    });
  }
  addCopyCommands(commands, context);
}

const RUN_ARGS = {
  type: 'object',
  properties: {
    name: { type: 'string', description: 'Name of the run; the one in front without it' },
    names: { type: 'array', items: { type: 'string' } },
    from: { type: 'string', description: 'Rerun from this step on' },
    confirmed: { type: 'boolean', description: 'Do not ask before deleting' },
    show: { type: 'boolean', description: 'Open the run that was started' }
  }
};

function reason(action: RunAction, args: Args, context: ICommandContext): string | null {
  const { kubeflow } = context;
  const chosen = names(args, context);
  if (!chosen.length) {
    return kubeflow.trans.__('Open or select a run first.');
  }
  for (const name of chosen) {
    const run = kubeflow.resources.runs.get(name);
    // A run beyond the loaded page is unknown here, not on the server: the server decides.
    const why = run ? whyNot(action, run) : null;
    if (why) {
      return whyNotText(why, kubeflow.trans);
    }
  }
  return null;
}

async function perform(action: RunAction, args: Args, context: ICommandContext): Promise<void> {
  const chosen = names(args, context);
  if (action === 'delete') {
    await remove(chosen, args.confirmed === true, context.kubeflow);
    return;
  }
  for (const name of chosen) {
    await once(action, name, args, context.kubeflow);
  }
}

async function once(
  action: RunAction,
  name: string,
  args: Args,
  kubeflow: IKubeflow
): Promise<void> {
  const { trans } = kubeflow;
  const run = kubeflow.resources.runs.get(name);
  const title = run ? runTitle(run) : name;
  const doing: Record<RunAction, string> = {
    stop: trans.__('Stopping %1', title),
    resume: trans.__('Resuming %1', title),
    rerun: trans.__('Rerunning %1', title),
    reproduce: trans.__('Reproducing %1', title),
    export: trans.__('Exporting %1', title),
    delete: trans.__('Deleting %1', title)
  };
  try {
    const body = action === 'rerun' && args.from ? { from: args.from as Json } : {};
    const path = `runs/${encodeURIComponent(name)}:${action}`;
    const reply = await kubeflow.request<IRun | IExported>(path, { method: 'POST', body });
    if (action === 'export') {
      download(reply as IExported, `${name}.ipynb`);
    } else if (action !== 'stop' && 'metadata' in reply) {
      started(reply as IRun, args.show === true, kubeflow);
    }
  } catch (error) {
    kubeflow.fail(doing[action], error);
  }
}

interface IExported {
  name?: string;
  notebook?: Json;
  /** Of a run of a compiled pipeline. */
  yaml?: string;
}

/** The run shows up in the panel by itself; a toast only offers to go there. */
function started(run: IRun, show: boolean, kubeflow: IKubeflow): void {
  const { name } = run.metadata;
  if (show) {
    void kubeflow.openRun(name);
    return;
  }
  Notification.info(kubeflow.trans.__('%1 is on its way.', runTitle(run)), {
    autoClose: 5000,
    actions: [{ label: kubeflow.trans.__('Show'), callback: () => void kubeflow.openRun(name) }]
  });
}

function download(exported: IExported, fallback: string): void {
  if (exported.yaml !== undefined) {
    saveText(exported.yaml, exported.name ?? fallback, 'application/yaml');
    return;
  }
  const content = JSON.stringify(exported.notebook ?? exported, null, 1);
  saveAs(new Blob([content], { type: 'application/x-ipynb+json' }), exported.name ?? fallback);
}

async function remove(
  chosen: readonly string[],
  confirmed: boolean,
  kubeflow: IKubeflow
): Promise<void> {
  const { trans } = kubeflow;
  if (!confirmed) {
    const answer = await showDialog({
      title: trans._n('Delete this run?', 'Delete %1 runs?', chosen.length),
      body: trans.__(
        '%1: the record, logs and everything that only it keeps will be gone.',
        chosen.slice(0, 5).join(', ') + (chosen.length > 5 ? '…' : '')
      ),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Keep') }),
        Dialog.warnButton({ label: trans.__('Delete') })
      ]
    });
    if (!answer.button.accept) {
      return;
    }
  }
  for (const name of chosen) {
    try {
      await kubeflow.request(`runs/${encodeURIComponent(name)}`, { method: 'DELETE' });
    } catch (error) {
      kubeflow.fail(trans.__('Deleting %1', name), error);
    }
  }
  await kubeflow.resources.runs.refresh().catch(() => undefined);
}

function addCopyCommands(commands: CommandRegistry, context: ICommandContext): void {
  const { kubeflow } = context;
  const { trans } = kubeflow;
  const enabled = (args: Args) => names(args, context).length > 0;
  commands.addCommand(CommandIDs.copyName, {
    label: trans.__('Copy Run Name'),
    isEnabled: enabled,
    describedBy: { args: RUN_ARGS },
    execute: args =>
      kubeflow.copyCode(names(args, context).join('\n'), trans.__('The name is on the clipboard.'))
  });
  commands.addCommand(CommandIDs.copyCode, {
    label: trans.__('Copy Run as Code'),
    isEnabled: enabled,
    describedBy: { args: RUN_ARGS },
    execute: args => {
      const chosen = names(args, context);
      const action = typeof args.action === 'string' ? (args.action as RunAction) : null;
      const single = action ? actionCode(action, chosen[0]) : runCode(chosen[0]);
      return kubeflow.copyCode(chosen.length > 1 ? compareCode(chosen) : single);
    }
  });
}

interface INotebookContent {
  cells: { cell_type: string }[];
}

/** Outputs may be hundreds of megabytes and are not needed to run. */
function withoutOutputs(content: INotebookContent | undefined): INotebookContent | undefined {
  return (
    content && {
      ...content,
      cells: content.cells.map(cell =>
        cell.cell_type === 'code' ? { ...cell, outputs: [], execution_count: null } : cell
      )
    }
  );
}

/** Run the notebook in front, as it stands in the editor. */
export function addNotebookCommands(
  commands: CommandRegistry,
  kubeflow: IKubeflow,
  notebooks: INotebookTracker | null,
  contents: Contents.IManager
): void {
  const { trans } = kubeflow;
  notebooks?.currentChanged.connect(() => commands.notifyCommandChanged(CommandIDs.runCurrent));
  commands.addCommand(CommandIDs.runCurrent, {
    label: trans.__('Run Notebook as Pipeline'),
    icon: args => (args.isLauncher ? kubeflowIcon : runIcon),
    caption: () =>
      notebooks?.currentWidget
        ? trans.__('Run the notebook in front as a pipeline')
        : trans.__('Open a notebook first.'),
    isEnabled: () => Boolean(notebooks?.currentWidget),
    describedBy: { args: { type: 'object', properties: {} } },
    execute: async args => {
      const panel = notebooks?.currentWidget;
      if (!panel) {
        return;
      }
      const { path } = panel.context;
      try {
        await panel.context.ready; // before, it looks empty
        const run = await kubeflow.runNotebook({
          path: contents.localPath(path),
          notebook: withoutOutputs(
            panel.content.model?.toJSON() as unknown as INotebookContent | undefined
          ),
          from: typeof args.from === 'string' ? args.from : null,
          only: typeof args.only === 'string' ? args.only : null,
          parameters: args.parameters as Record<string, Json> | undefined
        });
        started(run, false, kubeflow);
      } catch (error) {
        kubeflow.fail(trans.__('Running %1', path), error);
      }
    }
  });
  commands.addCommand(CommandIDs.openHere, {
    label: trans.__('Open Failed Step in Live Kernel'),
    describedBy: {
      args: {
        type: 'object',
        properties: { name: { type: 'string' }, step: { type: 'string' } }
      }
    },
    isEnabled: args => Boolean(args.name && args.step),
    execute: args => kubeflow.openHere(String(args.name), String(args.step))
  });
}
