import type { INotebookTracker } from '@jupyterlab/notebook';
import { NotebookActions } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import { runIcon, stopIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';

import { codeVerbs } from '../app/codeverbs';
import type { IVerb, IVerbContext } from '../app/verbs';
import { addVerbs } from '../app/verbs';
import { pauseIcon, sparkIcon } from '../icons';
import { pluralOf } from '../model/kinds';
import type { IWork } from '../model/types';
import type { IKubeflow } from '../tokens';
import { CommandIDs } from '../tokens';
import type { SparkAction } from './model/app';
import { APPLICATION, getCode, SCHEDULED, SESSION, sessionCell, whyNot } from './model/app';
import { cellSource } from './model/form';

export const WORK_KINDS = [SESSION, APPLICATION] as const;

export namespace SparkCommandIDs {
  export const open = 'kubeflow:open-spark-application';
  export const showAll = 'kubeflow:open-spark-applications';
  export const startSession = 'kubeflow:start-spark-session';
  export const submit = 'kubeflow:submit-spark-application';
  export const schedule = 'kubeflow:schedule-spark-application';
  export const submitCell = 'kubeflow:submit-cell-to-spark';
  export const insert = 'kubeflow:insert-spark-session';
  export const stop = 'kubeflow:stop-spark-application';
  export const remove = 'kubeflow:delete-spark-application';
  export const openLog = 'kubeflow:open-spark-log';
  export const openUi = 'kubeflow:open-spark-ui';
  export const copyCode = 'kubeflow:copy-spark-application-as-code';
  export const exportYaml = 'kubeflow:export-spark-application';
  export const run = 'kubeflow:run-spark-schedule';
  export const suspend = 'kubeflow:pause-spark-schedule';
  export const resume = 'kubeflow:resume-spark-schedule';
  export const removeSchedule = 'kubeflow:delete-spark-schedule';
  export const copySchedule = 'kubeflow:copy-spark-schedule-as-code';
  export const exportSchedule = 'kubeflow:export-spark-schedule';
}

/** Commands of the palette: the others need to be told what they are about. */
export const FOR_PALETTE: readonly string[] = [
  SparkCommandIDs.startSession,
  SparkCommandIDs.submit,
  SparkCommandIDs.schedule,
  SparkCommandIDs.submitCell,
  SparkCommandIDs.insert,
  SparkCommandIDs.showAll,
  SparkCommandIDs.stop,
  SparkCommandIDs.remove,
  SparkCommandIDs.openLog,
  SparkCommandIDs.openUi,
  SparkCommandIDs.copyCode,
  SparkCommandIDs.exportYaml
];

type Why = (action: SparkAction) => (item: IWork) => string | null;

export function addSparkCommands(
  commands: CommandRegistry,
  kubeflow: IKubeflow,
  current: IVerbContext['current']
): void {
  const { trans } = kubeflow;
  const why: Why = action => item => whyNot(action, item, trans);
  const named = (names: readonly string[]) =>
    names.slice(0, 5).join(', ') + (names.length > 5 ? '…' : '');
  const shared = { commands, kubeflow };
  addVerbs(
    {
      ...shared,
      kinds: WORK_KINDS,
      nothing: trans.__('Open or select a Spark application or session first.'),
      confirm: names => ({
        title: trans._n(
          'Delete this Spark application?',
          'Delete %1 Spark applications?',
          names.length
        ),
        body: trans.__('%1: the record, the log and the event log will be gone.', named(names))
      }),
      current
    },
    [...workVerbs(kubeflow, why), ...codeVerbs(kubeflow, ...codeCommands(trans), getCode)]
  );
  addVerbs(
    {
      ...shared,
      kinds: [SCHEDULED],
      nothing: trans.__('Select a schedule of Spark first.'),
      confirm: names => ({
        title: trans._n('Delete this schedule?', 'Delete %1 schedules?', names.length),
        body: trans.__('%1: nothing starts by it any more. What it made stays.', named(names))
      }),
      current: () => null
    },
    [...scheduleVerbs(trans, why), ...codeVerbs(kubeflow, ...scheduleCode(trans), getCode)]
  );
}

function codeCommands(trans: TranslationBundle) {
  return [
    { command: SparkCommandIDs.copyCode, label: trans.__('Copy Spark Application as Code') },
    { command: SparkCommandIDs.exportYaml, label: trans.__('Export Spark Application as YAML') }
  ] as const;
}

function scheduleCode(trans: TranslationBundle) {
  return [
    { command: SparkCommandIDs.copySchedule, label: trans.__('Copy Spark Schedule as Code') },
    { command: SparkCommandIDs.exportSchedule, label: trans.__('Export Spark Schedule as YAML') }
  ] as const;
}

function workVerbs(kubeflow: IKubeflow, why: Why): IVerb[] {
  const { trans } = kubeflow;
  return [
    {
      command: SparkCommandIDs.stop,
      label: trans.__('Stop Spark Application'),
      icon: stopIcon,
      verb: 'stop',
      doing: title => trans.__('Stopping %1', title),
      whyNot: why('stop')
    },
    {
      command: SparkCommandIDs.remove,
      label: trans.__('Delete Spark Application…'),
      verb: 'delete',
      doing: title => trans.__('Deleting %1', title),
      whyNot: why('delete')
    },
    {
      command: SparkCommandIDs.openLog,
      label: trans.__('Open Log of Spark Application'),
      doing: title => trans.__('Opening the log of %1', title),
      whyNot: () => null,
      after: (_, name, __, kind) => kubeflow.open(kind, name, { tab: 'log' })
    },
    {
      command: SparkCommandIDs.openUi,
      label: trans.__('Open Spark UI'),
      doing: title => trans.__('Opening the Spark UI of %1', title),
      whyNot: why('ui'),
      // Never in a frame: its page is another's, and gets nothing of this one.
      after: (_, name, __, kind) =>
        void window.open(uiUrl(kubeflow, kind, name), '_blank', 'noopener,noreferrer')
    }
  ];
}

/** Where Spark's own pages are. */
export function uiUrl(kubeflow: IKubeflow, kind: string, name: string): string {
  return kubeflow.url(`${pluralOf(kind)}/${encodeURIComponent(name)}/ui/`);
}

function scheduleVerbs(trans: TranslationBundle, why: Why): IVerb[] {
  return [
    {
      command: SparkCommandIDs.run,
      label: trans.__('Run Spark Schedule Now'),
      icon: runIcon,
      verb: 'run',
      doing: title => trans.__('Running %1', title),
      whyNot: why('run')
    },
    {
      command: SparkCommandIDs.suspend,
      label: trans.__('Pause Spark Schedule'),
      icon: pauseIcon,
      verb: 'suspend',
      doing: title => trans.__('Pausing %1', title),
      whyNot: why('suspend')
    },
    {
      command: SparkCommandIDs.resume,
      label: trans.__('Resume Spark Schedule'),
      icon: runIcon,
      verb: 'resume',
      doing: title => trans.__('Resuming %1', title),
      whyNot: why('resume')
    },
    {
      command: SparkCommandIDs.removeSchedule,
      label: trans.__('Delete Spark Schedule…'),
      verb: 'delete',
      doing: title => trans.__('Deleting %1', title),
      whyNot: () => null
    }
  ];
}

/** The ways to a new session or application: the form, with the active cell in it, or a cell of the notebook. */
export function addSparkWays(
  commands: CommandRegistry,
  kubeflow: IKubeflow,
  notebooks: INotebookTracker | null
): void {
  const { trans } = kubeflow;
  const describedBy = { args: { type: 'object', properties: {} } };
  const form = (label: string, given: { what: string; when?: string }) => ({
    label,
    icon: sparkIcon,
    describedBy,
    execute: () => kubeflow.execute(CommandIDs.create, { section: 'spark', given })
  });
  const { startSession, submit, schedule, showAll } = SparkCommandIDs;
  commands.addCommand(startSession, form(trans.__('Start a Spark Session…'), { what: 'session' }));
  commands.addCommand(submit, form(trans.__('Submit a Spark Application…'), { what: 'file' }));
  commands.addCommand(
    schedule,
    form(trans.__('Schedule a Spark Application…'), { what: 'file', when: 'clock' })
  );
  commands.addCommand(showAll, {
    label: trans.__('Show All Spark Applications'),
    icon: sparkIcon,
    describedBy,
    execute: () => kubeflow.openTable('spark')
  });
  addCellCommands(commands, kubeflow, notebooks);
}

function addCellCommands(
  commands: CommandRegistry,
  kubeflow: IKubeflow,
  notebooks: INotebookTracker | null
): void {
  const { trans } = kubeflow;
  const { insert, submitCell } = SparkCommandIDs;
  notebooks?.activeCellChanged.connect(() => commands.notifyCommandChanged(submitCell));
  notebooks?.currentChanged.connect(() => commands.notifyCommandChanged(insert));
  const source = () => {
    const cell = notebooks?.activeCell;
    return cell?.model.type === 'code' ? cellSource(cell.model.sharedModel.getSource()) : '';
  };
  commands.addCommand(submitCell, {
    label: trans.__('Submit This Cell to Spark…'),
    icon: sparkIcon,
    caption: () =>
      source().trim()
        ? trans.__('Run the active cell as a Spark application')
        : trans.__('Select a cell with code first.'),
    isEnabled: () => Boolean(source().trim()),
    describedBy: { args: { type: 'object', properties: {} } },
    execute: () =>
      kubeflow.execute(CommandIDs.create, {
        section: 'spark',
        given: { what: 'code', source: source() }
      })
  });
  commands.addCommand(insert, {
    label: trans.__('Insert Spark Session into Notebook'),
    icon: sparkIcon,
    caption: () =>
      notebooks?.currentWidget
        ? trans.__('A cell below the active one that opens the session')
        : trans.__('Open a notebook first.'),
    isEnabled: () => Boolean(notebooks?.currentWidget),
    describedBy: {
      args: { type: 'object', properties: { name: { type: 'string', description: 'Session' } } }
    },
    execute: async args => {
      const panel = notebooks?.currentWidget;
      if (panel) {
        await panel.context.ready; // what is put in before is lost when the file's cells arrive
        NotebookActions.insertBelow(panel.content);
        const cell = panel.content.activeCell;
        cell?.model.sharedModel.setSource(sessionCell(args.name ? String(args.name) : undefined));
        panel.activate();
      }
    }
  });
}
