import type { INotebookTracker } from '@jupyterlab/notebook';
import { runIcon, stopIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';

import { codeVerbs } from '../app/codeverbs';
import type { IVerb, IVerbContext } from '../app/verbs';
import { addVerbs } from '../app/verbs';
import { kubeflowIcon, pauseIcon } from '../icons';
import type { IWork } from '../model/types';
import type { IKubeflow } from '../tokens';
import { CommandIDs } from '../tokens';
import { cellSource } from './model/form';
import type { JobAction, JobWhyNot } from './model/job';
import { jobWhyNot } from './model/job';
import type { ITrainJob } from './model/types';

export const JOB_KINDS = ['TrainJob', 'PyTorchJob', 'TFJob', 'XGBoostJob'] as const;

export namespace TrainingCommandIDs {
  export const open = 'kubeflow:open-training-job';
  export const compare = 'kubeflow:compare-training-jobs';
  export const showAll = 'kubeflow:open-training-jobs';
  export const create = 'kubeflow:new-training-job';
  export const trainCell = 'kubeflow:train-cell';
  export const stop = 'kubeflow:stop-training-job';
  export const suspend = 'kubeflow:suspend-training-job';
  export const resume = 'kubeflow:resume-training-job';
  export const remove = 'kubeflow:delete-training-job';
  export const copyCode = 'kubeflow:copy-training-job-as-code';
  export const exportYaml = 'kubeflow:export-training-job';
}

export function jobWhyNotText(why: JobWhyNot, trans: TranslationBundle): string {
  switch (why) {
    case 'finished':
      return trans.__('This job has finished.');
    case 'stopping':
      return trans.__('It is stopping already.');
    case 'paused':
      return trans.__('It is paused already.');
    case 'running':
      return trans.__('It is running; there is nothing to resume.');
    case 'succeeded':
      return trans.__('This job succeeded; there is nothing to resume.');
    case 'unfinished':
      return trans.__('It is still running: stop it first.');
  }
}

export function addJobCommands(
  commands: CommandRegistry,
  kubeflow: IKubeflow,
  current: IVerbContext['current']
): void {
  const { trans } = kubeflow;
  const why = (action: JobAction) => (item: IWork) => {
    const found = jobWhyNot(action, item as ITrainJob);
    return found && jobWhyNotText(found, trans);
  };
  const context: IVerbContext = {
    commands,
    kubeflow,
    kinds: JOB_KINDS,
    nothing: trans.__('Open or select a training job first.'),
    confirm: names => ({
      title: trans._n('Delete this training job?', 'Delete %1 training jobs?', names.length),
      body: trans.__(
        '%1: the record, logs, curves and checkpoints that only it keeps will be gone.',
        names.slice(0, 5).join(', ') + (names.length > 5 ? '…' : '')
      )
    }),
    current
  };
  addVerbs(context, [
    ...lifeVerbs(trans, why),
    ...codeVerbs(
      kubeflow,
      { command: TrainingCommandIDs.copyCode, label: trans.__('Copy Training Job as Code') },
      { command: TrainingCommandIDs.exportYaml, label: trans.__('Export Training Job as YAML') },
      getCode
    )
  ]);
}

type Why = (action: JobAction) => (item: IWork) => string | null;

function lifeVerbs(trans: TranslationBundle, why: Why): IVerb[] {
  return [
    {
      command: TrainingCommandIDs.stop,
      label: trans.__('Stop Training Job'),
      icon: stopIcon,
      verb: 'stop',
      doing: title => trans.__('Stopping %1', title),
      whyNot: why('stop')
    },
    {
      command: TrainingCommandIDs.suspend,
      label: trans.__('Suspend Training Job'),
      icon: pauseIcon,
      verb: 'suspend',
      doing: title => trans.__('Suspending %1', title),
      whyNot: why('suspend')
    },
    {
      command: TrainingCommandIDs.resume,
      label: trans.__('Resume Training Job from Checkpoint'),
      icon: runIcon,
      verb: 'resume',
      doing: title => trans.__('Resuming %1', title),
      whyNot: why('resume')
    },
    {
      command: TrainingCommandIDs.remove,
      label: trans.__('Delete Training Job…'),
      verb: 'delete',
      doing: title => trans.__('Deleting %1', title),
      whyNot: why('delete')
    }
  ];
}

export function getCode(name: string): string {
  return `import jupyter_ext as kf\n\njob = kf.training.get(${JSON.stringify(name)})\njob`;
}

/** The ways to a new job: the form, and the form with the active cell in it. */
export function addCreateCommands(
  commands: CommandRegistry,
  kubeflow: IKubeflow,
  notebooks: INotebookTracker | null
): void {
  const { trans } = kubeflow;
  const none = { args: { type: 'object', properties: {} } };
  commands.addCommand(TrainingCommandIDs.create, {
    label: trans.__('New Training Job…'),
    icon: kubeflowIcon,
    describedBy: none,
    execute: () => kubeflow.execute(CommandIDs.create, { section: 'training' })
  });
  commands.addCommand(TrainingCommandIDs.showAll, {
    label: trans.__('Show All Training Jobs'),
    icon: kubeflowIcon,
    describedBy: none,
    execute: () => kubeflow.openTable('training')
  });
  notebooks?.activeCellChanged.connect(() =>
    commands.notifyCommandChanged(TrainingCommandIDs.trainCell)
  );
  const source = () => {
    const cell = notebooks?.activeCell;
    return cell?.model.type === 'code' ? cellSource(cell.model.sharedModel.getSource()) : '';
  };
  commands.addCommand(TrainingCommandIDs.trainCell, {
    label: trans.__('Train This Cell…'),
    icon: kubeflowIcon,
    caption: () =>
      source().trim()
        ? trans.__('Run the active cell on several processes')
        : trans.__('Select a cell with code first.'),
    isEnabled: () => Boolean(source().trim()),
    describedBy: none,
    execute: () =>
      kubeflow.execute(CommandIDs.create, {
        section: 'training',
        given: { code: 'source', source: source() }
      })
  });
}
