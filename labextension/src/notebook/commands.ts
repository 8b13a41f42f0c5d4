import { Notification } from '@jupyterlab/apputils';
import { checkIcon, runIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';

import { kubeflowIcon } from '../icons';
import type { IKubeflow, IRunOptions } from '../tokens';
import { whyNotRun } from './bar/run';
import type { NotebookController } from './controller';
import { countProblems } from './model/graph';

export namespace NotebookCommandIDs {
  export const check = 'kubeflow:check-notebook';
  export const runFrom = 'kubeflow:run-from-step';
  export const runOnly = 'kubeflow:run-only-step';
  export const runFresh = 'kubeflow:run-without-cache';
  export const toggleBar = 'kubeflow:toggle-pipeline-bar';
  export const goToFailure = 'kubeflow:go-to-failed-cell';
  export const nextProblem = 'kubeflow:next-problem';
  export const editStep = 'kubeflow:edit-step';
}

export interface INotebookCommandContext {
  readonly commands: CommandRegistry;
  readonly kubeflow: IKubeflow;
  /** The notebook in front, or null. */
  readonly current: () => NotebookController | null;
  /** Show the settings of the active cell's step and put the focus there. */
  readonly inspect: (focus: boolean) => void;
}

const NO_ARGS = { args: { type: 'object', properties: {} } };

/** Add the commands about the notebook in front; gives their names for the palette. */
export function addCommands(context: INotebookCommandContext): string[] {
  addBarCommand(context);
  addCheckCommands(context);
  addRunCommands(context);
  return Object.values(NotebookCommandIDs);
}

function addBarCommand(context: INotebookCommandContext): void {
  const { commands, current } = context;
  const { trans } = context.kubeflow;
  commands.addCommand(NotebookCommandIDs.toggleBar, {
    label: args => (args.toolbar ? '' : trans.__('Show Pipeline Bar')),
    caption: trans.__('Show the notebook as a pipeline'),
    icon: kubeflowIcon,
    isEnabled: () => current() !== null,
    isToggled: () => (current()?.barState.mode ?? 'none') !== 'none',
    isToggleable: true,
    describedBy: NO_ARGS,
    execute: () => current()?.toggleBar()
  });
  commands.addCommand(NotebookCommandIDs.editStep, {
    label: trans.__('Edit Settings of This Step'),
    isEnabled: () => Boolean(current()?.activeStep),
    describedBy: NO_ARGS,
    execute: () => context.inspect(true)
  });
}

function addCheckCommands(context: INotebookCommandContext): void {
  const { commands, current } = context;
  const { trans } = context.kubeflow;
  commands.addCommand(NotebookCommandIDs.check, {
    label: trans.__('Check Notebook as Pipeline'),
    icon: checkIcon,
    isEnabled: () => current() !== null,
    describedBy: NO_ARGS,
    execute: async () => {
      const controller = current();
      if (controller) {
        await check(controller, context.kubeflow);
      }
    }
  });
  commands.addCommand(NotebookCommandIDs.nextProblem, {
    label: trans.__('Go to Next Pipeline Problem'),
    isEnabled: () => (current()?.model.pipeline?.problems ?? []).length > 0,
    describedBy: NO_ARGS,
    execute: () => goToNextProblem(current())
  });
  commands.addCommand(NotebookCommandIDs.goToFailure, {
    label: trans.__('Go to Failed Cell'),
    caption: trans.__('The cell in which the last run failed'),
    isEnabled: () => Boolean(current()?.model.failedCell()),
    describedBy: NO_ARGS,
    execute: () => current()?.goToFailure()
  });
}

function addRunCommands(context: INotebookCommandContext): void {
  const { commands, current, kubeflow } = context;
  const { trans } = kubeflow;
  const add = (
    id: string,
    label: string,
    options: (step: string) => Pick<IRunOptions, 'from' | 'only' | 'cache'>,
    needsStep: boolean
  ): void => {
    commands.addCommand(id, {
      label,
      icon: runIcon,
      isEnabled: () => {
        const controller = current();
        return Boolean(controller && (!needsStep || controller.activeStep));
      },
      describedBy: NO_ARGS,
      execute: async () => {
        const controller = current();
        if (controller) {
          await run(controller, options(controller.activeStep ?? ''), kubeflow);
        }
      }
    });
  };
  add(
    NotebookCommandIDs.runFrom,
    trans.__('Run Pipeline from This Step'),
    from => ({ from }),
    true
  );
  add(NotebookCommandIDs.runOnly, trans.__('Run Only This Step'), only => ({ only }), true);
  add(
    NotebookCommandIDs.runFresh,
    trans.__('Run Notebook as Pipeline without Cache'),
    () => ({ cache: false }),
    false
  );
}

async function check(controller: NotebookController, kubeflow: IKubeflow): Promise<void> {
  const { trans } = kubeflow;
  const { model, barState } = controller;
  const pipeline = await model.checkNow();
  if (model.trouble || !pipeline) {
    kubeflow.fail(trans.__('Checking %1', controller.source.path), model.trouble);
    return;
  }
  const { errors, warnings } = countProblems(pipeline);
  if (errors + warnings) {
    barState.set({ mode: 'full', pane: 'problems' });
  } else {
    const steps = pipeline.steps.filter(step => step.kind !== 'setup').length;
    Notification.success(trans._n('1 step, no problems.', '%1 steps, no problems.', steps, steps), {
      autoClose: 3000
    });
  }
}

async function run(
  controller: NotebookController,
  options: Pick<IRunOptions, 'from' | 'only' | 'cache'>,
  kubeflow: IKubeflow
): Promise<void> {
  const { trans } = kubeflow;
  const doing = trans.__('Running %1', controller.source.path);
  try {
    await controller.model.checkNow();
    const reason = whyNotRun(controller, trans);
    if (reason) {
      controller.barState.set({ mode: 'full', pane: 'problems' });
      throw new Error(reason);
    }
    await controller.run(options);
  } catch (error) {
    kubeflow.fail(doing, error);
  }
}

async function goToNextProblem(controller: NotebookController | null): Promise<void> {
  const problems = controller?.model.pipeline?.problems ?? [];
  if (!controller || !problems.length) {
    return;
  }
  const at = controller.panel.content.activeCellIndex + 1;
  const sorted = [...problems].sort((left, right) => (left.cell ?? 0) - (right.cell ?? 0));
  const next = sorted.find(problem => (problem.cell ?? 0) > at) ?? sorted[0];
  if (next) {
    await controller.goToProblem(next);
  }
}
