import { Notification } from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';
import { runIcon, stopIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { IVerb } from '../app/verbs';
import { addVerbs } from '../app/verbs';
import type { IKubeflow } from '../tokens';
import { saveText } from '../ui/save';
import { putIntoCell, setPipelineParameters } from './cells';
import type { ExperimentAction } from './model/code';
import { bestCode, experimentCode, whyNot } from './model/code';
import type { IExperiment, Scalar } from './model/types';
import { whyNotText } from './view/words';

export namespace TuningCommands {
  export const open = 'kubeflow:open-experiment';
  export const stop = 'kubeflow:stop-experiment';
  export const resume = 'kubeflow:resume-experiment';
  export const remove = 'kubeflow:delete-experiment';
  export const exportYaml = 'kubeflow:export-experiment';
  export const copyCode = 'kubeflow:copy-experiment-code';
  export const copyBest = 'kubeflow:copy-best-parameters';
  export const bestToCell = 'kubeflow:put-best-into-cell';
  export const bestToPipeline = 'kubeflow:set-best-as-pipeline-parameters';
}

type Args = ReadonlyPartialJSONObject;

export interface ITuningContext {
  readonly commands: CommandRegistry;
  readonly kubeflow: IKubeflow;
  readonly notebooks: INotebookTracker | null;
  readonly contents: Contents.IManager;
  /** The experiment in front, for the palette. */
  current(): { kind: string; name: string } | null;
}

export const EXPERIMENT = 'Experiment';

/** What `experiments/NAME:code` answers. */
export interface ICode {
  python?: string;
  magic?: string;
  cli?: string;
  yaml?: string;
}

export function codeOf(kubeflow: IKubeflow, name: string): Promise<ICode> {
  return kubeflow.request<ICode>(`experiments/${encodeURIComponent(name)}:code`, {
    method: 'POST',
    body: {}
  });
}

export function addTuningCommands(context: ITuningContext): void {
  const { kubeflow } = context;
  const { trans } = kubeflow;
  addVerbs(
    {
      commands: context.commands,
      kubeflow,
      kinds: [EXPERIMENT],
      nothing: trans.__('Open or select an experiment first.'),
      confirm: names => ({
        title: trans._n('Delete this experiment?', 'Delete %1 experiments?', names.length),
        body: trans.__(
          '%1: its trials, their curves and logs will be gone.',
          names.slice(0, 5).join(', ') + (names.length > 5 ? '…' : '')
        )
      }),
      current: () => context.current()
    },
    verbs(kubeflow)
  );
  addCopyCommands(context);
  addNotebookCommands(context);
}

function verbs(kubeflow: IKubeflow): IVerb[] {
  const { trans } = kubeflow;
  const can = (action: ExperimentAction) => (item: unknown) => {
    const why = whyNot(action, item as IExperiment);
    return why && whyNotText(why, trans);
  };
  return [
    {
      command: TuningCommands.stop,
      label: trans.__('Stop Experiment'),
      icon: stopIcon,
      verb: 'stop',
      doing: title => trans.__('Stopping %1', title),
      whyNot: can('stop')
    },
    {
      command: TuningCommands.resume,
      label: trans.__('Resume Experiment'),
      icon: runIcon,
      verb: 'resume',
      doing: title => trans.__('Resuming %1', title),
      whyNot: can('resume'),
      body: args => (typeof args.trials === 'number' ? { trials: args.trials } : {})
    },
    {
      command: TuningCommands.remove,
      label: trans.__('Delete Experiment…'),
      verb: 'delete',
      doing: title => trans.__('Deleting %1', title),
      whyNot: can('delete')
    },
    {
      command: TuningCommands.exportYaml,
      label: trans.__('Export Experiment as YAML'),
      doing: title => trans.__('Exporting %1', title),
      whyNot: () => null,
      after: async (_, name) => {
        const { yaml } = await codeOf(kubeflow, name);
        saveText(yaml ?? '', `${name}.yaml`, 'application/yaml');
      }
    }
  ];
}

/** The experiment that is meant: named, or the one in front. */
function named(args: Args, context: ITuningContext): string | null {
  if (Array.isArray(args.names)) {
    return String(args.names[0]);
  }
  return typeof args.name === 'string' ? args.name : (context.current()?.name ?? null);
}

interface IChosen {
  readonly parameters: Record<string, Scalar>;
  /** `Trial 17 of sweep-x7k2p`. */
  readonly origin: string;
}

/** The parameters in the arguments, else those of the experiment's best trial. */
function chosen(args: Args, context: ITuningContext): IChosen | null {
  const { trans, resources } = context.kubeflow;
  const name = named(args, context);
  if (!name) {
    return null;
  }
  if (args.parameters && typeof args.parameters === 'object') {
    const parameters = args.parameters as Record<string, Scalar>;
    return { parameters, origin: trans.__('Trial %1 of %2', Number(args.trial), name) };
  }
  const item = resources.list(EXPERIMENT).get(name) as IExperiment | undefined;
  const best = item?.status.best;
  return best ? { parameters: best.parameters, origin: trans.__('Best trial of %1', name) } : null;
}

const ARGS = {
  type: 'object',
  properties: {
    name: { type: 'string', description: 'Name of the experiment; the one in front without it' },
    trial: { type: 'number', description: 'Number of the trial, for the comment' },
    parameters: { type: 'object', description: 'Those of the best trial without it' }
  }
};

function addCopyCommands(context: ITuningContext): void {
  const { commands, kubeflow } = context;
  const { trans } = kubeflow;
  const isEnabled = (args: Args) => named(args, context) !== null;
  commands.addCommand(TuningCommands.copyCode, {
    label: trans.__('Copy Experiment as Code'),
    describedBy: { args: ARGS },
    isEnabled,
    execute: args => kubeflow.copyCode(experimentCode(named(args, context) ?? ''))
  });
  commands.addCommand(TuningCommands.copyBest, {
    label: trans.__('Copy Code for Best Parameters'),
    describedBy: { args: ARGS },
    isEnabled,
    execute: args => kubeflow.copyCode(bestCode(named(args, context) ?? ''))
  });
}

function addNotebookCommands(context: ITuningContext): void {
  const { commands, kubeflow, notebooks, contents } = context;
  const { trans } = kubeflow;
  const reason = (args: Args) => {
    if (!notebooks?.currentWidget) {
      return trans.__('Open a notebook first.');
    }
    if (!notebooks.currentWidget.content.model) {
      return trans.__('The notebook is still loading.');
    }
    if (notebooks.currentWidget.context.contentsModel?.writable === false) {
      return trans.__('The notebook cannot be written.');
    }
    return chosen(args, context) ? null : trans.__('No trial has succeeded yet.');
  };
  const add = (command: string, label: string, act: (given: IChosen) => Promise<string>) =>
    commands.addCommand(command, {
      label,
      caption: args => reason(args) ?? '',
      describedBy: { args: ARGS },
      isEnabled: args => reason(args) === null,
      execute: async args => {
        const given = chosen(args, context);
        if (given) {
          Notification.success(await act(given), { autoClose: 4000 });
        }
      }
    });
  notebooks?.currentChanged.connect(() => commands.notifyCommandChanged());
  add(TuningCommands.bestToCell, trans.__('Put Best Parameters into a Cell'), async given => {
    const panel = notebooks!.currentWidget!;
    await putIntoCell(panel, given.parameters, given.origin);
    return trans.__('%1: in a new cell of %2. Undo takes it back.', given.origin, nameOf(panel));
  });
  add(
    TuningCommands.bestToPipeline,
    trans.__('Set Best Parameters as Pipeline Parameters'),
    async given => {
      const panel = notebooks!.currentWidget!;
      const names = await setPipelineParameters(panel, contents, given.parameters, given.origin);
      return names.length
        ? trans.__('%1: set in %2. Undo takes it back.', names.join(', '), nameOf(panel))
        : trans.__('%1 has these values already.', nameOf(panel));
    }
  );
}

function nameOf(panel: { context: { path: string } }): string {
  return panel.context.path.split('/').pop() ?? panel.context.path;
}
