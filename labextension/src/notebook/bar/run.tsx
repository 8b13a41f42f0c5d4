import { caretDownEmptyIcon, runIcon, stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { isActive } from '../../model/states';
import type { IRun } from '../../model/types';
import type { IKubeflow } from '../../tokens';
import { useKubeflow, useTrans } from '../../ui/context';
import { Button } from '../../ui/controls';
import { StateBadge } from '../../ui/state';
import { Elapsed, RelativeTime } from '../../ui/time';
import type { NotebookController } from '../controller';
import { countProblems } from '../model/graph';
import { openMenu } from './runMenu';

/** What the last run did, and the buttons that start the next one. */
export function RunControls(props: {
  controller: NotebookController;
  onRefusal: (error: unknown) => void;
}): JSX.Element {
  const { controller } = props;
  const { model, barState } = controller;
  const trans = useTrans();
  const parameters = model.pipeline?.parameters ?? [];
  const changed = Object.keys(controller.parameters ?? {}).length;
  const open = barState.pane === 'parameters';
  return (
    <div className="jk-Bar-run" role="group" aria-label={trans.__('Run this notebook')}>
      {model.run && <LastRun run={model.run} controller={controller} />}
      {parameters.length > 0 && (
        <button
          type="button"
          className="jk-Button"
          aria-expanded={open}
          onClick={() => barState.set({ pane: open ? null : 'parameters' })}
        >
          <span>{trans.__('Parameters')}</span>
          {changed > 0 && (
            <span className="jk-Count" title={trans.__('Differ from the notebook')}>
              {changed}
            </span>
          )}
        </button>
      )}
      <RunButtons {...props} />
    </div>
  );
}

/** Why the notebook cannot be run now, or null. */
export function whyNotRun(
  controller: NotebookController,
  trans: ReturnType<typeof useTrans>
): string | null {
  const { pipeline } = controller.model;
  const { errors } = countProblems(pipeline);
  if (!pipeline) {
    return controller.model.trouble?.message ?? trans.__('The notebook is being read.');
  }
  if (errors) {
    return trans._n(
      'One error keeps it from running; see the list of problems.',
      '%1 errors keep it from running; see the list of problems.',
      errors,
      errors
    );
  }
  if (!controller.parameters) {
    return trans.__('A parameter has a value that does not fit.');
  }
  return pipeline.steps.length ? null : trans.__('There are no steps to run.');
}

function RunButtons(props: {
  controller: NotebookController;
  onRefusal: (error: unknown) => void;
}): JSX.Element {
  const { controller, onRefusal } = props;
  const trans = useTrans();
  const kubeflow = useKubeflow();
  const disabled = whyNotRun(controller, trans);
  const run = async (options: Parameters<typeof controller.run>[0] = {}) => {
    onRefusal(null);
    await controller.run(options).catch(onRefusal);
  };
  const menu = (event: React.MouseEvent) => {
    const step = controller.activeStep;
    const noStep = step ? disabled : trans.__('Select a cell of a step first.');
    openMenu(event, [
      {
        label: step ? trans.__('Run from %1 on', step) : trans.__('Run from this step on'),
        disabled: noStep,
        execute: () => run({ from: step })
      },
      {
        label: step ? trans.__('Run only %1', step) : trans.__('Run only this step'),
        disabled: noStep,
        execute: () => run({ only: step })
      },
      {
        label: trans.__('Run without cache'),
        disabled,
        execute: () => run({ cache: false })
      },
      {
        label: trans.__('Copy as code'),
        execute: () => copyRun(controller, kubeflow)
      }
    ]);
  };
  return (
    <span className="jk-Split">
      <Button
        label={trans.__('Run')}
        icon={runIcon}
        kind="primary"
        disabled={disabled}
        title={trans.__('Run the notebook as it stands, saved or not')}
        onClick={() => run()}
      />
      <button
        type="button"
        className="jk-Button jk-mod-primary"
        aria-haspopup="menu"
        aria-label={trans.__('More ways to run')}
        title={trans.__('More ways to run')}
        onClick={menu}
      >
        <caretDownEmptyIcon.react tag="span" className="jk-Button-icon" />
      </button>
    </span>
  );
}

/** Put the Python on the clipboard that starts the same run. */
async function copyRun(controller: NotebookController, kubeflow: IKubeflow): Promise<void> {
  try {
    const found = await kubeflow.request<{ python: string }>('notebooks:code', {
      method: 'POST',
      body: { path: controller.source.path, parameters: controller.parameters ?? {}, options: {} }
    });
    await kubeflow.copyCode(found.python);
  } catch (error) {
    kubeflow.fail(kubeflow.trans.__('Writing the run as code'), error);
  }
}

function LastRun(props: { run: IRun; controller: NotebookController }): JSX.Element {
  const { run, controller } = props;
  const { name } = run.metadata;
  const trans = useTrans();
  const kubeflow = useKubeflow();
  const running = isActive(run.status.phase);
  const failed = controller.model.failure;
  return (
    <span className="jk-Bar-last">
      <button
        type="button"
        className="jk-Link"
        title={trans.__('Show the run %1', name)}
        onClick={() => void kubeflow.openRun(name)}
      >
        <StateBadge state={run.status.phase} reason={run.status.reason} />
      </button>
      {running ? (
        <Elapsed start={run.status.startTime} />
      ) : (
        <RelativeTime time={run.status.completionTime ?? run.status.startTime} />
      )}
      {failed && (
        <button type="button" className="jk-Link" onClick={() => void controller.goToFailure()}>
          {trans.__('in %1', failed.step)}
        </button>
      )}
      {running && (
        <Button
          label={trans.__('Stop this run')}
          icon={stopIcon}
          iconOnly
          onClick={() => kubeflow.execute('kubeflow:stop-run', { name })}
        />
      )}
    </span>
  );
}
