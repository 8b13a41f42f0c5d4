import { undoIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IStep } from '../../model/types';
import { useKubeflow, useSignal, useTrans } from '../../ui/context';
import { Button, CopyButton } from '../../ui/controls';
import { StateBadge } from '../../ui/state';
import { duration } from '../../format';
import { Prose } from '../cells/notes';
import type { NotebookController } from '../controller';
import type { ICellStep } from '../model/graph';
import { stepLine } from '../model/stepLine';
import { CellForm } from './cell';
import { DataFlow } from './dataflow';
import { StepForm } from './form';

/** What is known of the step that a cell belongs to, and the fields that change it. */
export function Inspector(props: { controller: NotebookController; cell: string }): JSX.Element {
  const { controller, cell } = props;
  const { model } = controller;
  useSignal(model.changed);
  const place = model.stepOf(cell);
  if (!model.active) {
    return <NotShown controller={controller} />;
  }
  if (!place) {
    return <NoStep controller={controller} cell={cell} />;
  }
  return <StepView controller={controller} place={place} cell={cell} />;
}

function NotShown(props: { controller: NotebookController }): JSX.Element {
  const trans = useTrans();
  return (
    <div className="jk-Inspector">
      <p>{trans.__('This notebook is not shown as a pipeline.')}</p>
      <Button
        label={trans.__('Show its steps')}
        onClick={() => props.controller.barState.set({ mode: 'full' })}
      />
    </div>
  );
}

function NoStep(props: { controller: NotebookController; cell: string }): JSX.Element {
  const { model } = props.controller;
  const trans = useTrans();
  const reason =
    model.pipeline === null
      ? (model.trouble?.message ?? trans.__('The notebook is being read.'))
      : trans.__('This cell belongs to no step.');
  return (
    <div className="jk-Inspector">
      <p>{reason}</p>
      <CellForm {...props} />
    </div>
  );
}

function StepView(props: {
  controller: NotebookController;
  place: ICellStep;
  cell: string;
}): JSX.Element {
  const { controller, place } = props;
  const { model } = controller;
  const { step } = place;
  const byHeading = model.pipeline?.grammar === 'headings';
  const trans = useTrans();
  return (
    <div
      className={step.kind === 'setup' ? 'jk-Inspector jk-mod-setup' : 'jk-Inspector'}
      role="group"
      aria-label={trans.__('Step %1', step.name)}
      style={{ '--jk-turn': place.order } as React.CSSProperties}
      onKeyDown={event => undoOnKey(event, controller)}
    >
      <div className="jk-Inspector-head">
        <span className="jk-Inspector-name">{byHeading ? step.title || step.name : step.name}</span>
        <LastState controller={controller} step={step} />
        {model.canUndo && (
          <Button
            label={trans.__('Undo the last change')}
            icon={undoIcon}
            iconOnly
            onClick={() => model.undo()}
          />
        )}
      </div>
      {step.kind === 'setup' && (
        <p className="jk-Inspector-note">
          {trans.__('Setup: imports, functions and parameters, run before every step.')}
        </p>
      )}
      <DataFlow controller={controller} step={step} />
      <CellForm controller={controller} cell={props.cell} />
      {step.kind !== 'setup' && (
        <>
          <StepForm key={step.name} controller={controller} step={step} />
          <AsCode controller={controller} step={step} />
        </>
      )}
    </div>
  );
}

/** Undo outside of text fields, which have an undo of their own. */
function undoOnKey(event: React.KeyboardEvent, controller: NotebookController): void {
  const typing = event.target instanceof HTMLInputElement && event.target.type === 'text';
  if (event.key === 'z' && (event.ctrlKey || event.metaKey) && !event.shiftKey && !typing) {
    controller.model.undo();
    event.preventDefault();
    event.stopPropagation();
  }
}

function LastState(props: { controller: NotebookController; step: IStep }): JSX.Element | null {
  const run = props.controller.model.stepRuns.get(props.step.name);
  if (!run) {
    return null;
  }
  return (
    <span className="jk-Inspector-state">
      <StateBadge state={run.state} cached={run.cached} reason={run.reason} />
      {run.seconds !== null && !run.cached && <span>{duration(run.seconds)}</span>}
      {run.reason && (
        <span className="jk-Inspector-reason">
          <Prose text={run.reason} />
        </span>
      )}
    </span>
  );
}

/** The step's settings as one line of code, and the Python that reads the step. */
function AsCode(props: { controller: NotebookController; step: IStep }): JSX.Element {
  const { controller, step } = props;
  const trans = useTrans();
  const kubeflow = useKubeflow();
  const line = stepLine(step);
  const path = JSON.stringify(controller.source.path);
  const name = JSON.stringify(step.name);
  const python = `import jupyter_ext as kf\n\nkf.pipelines.check(${path}).step(${name})`;
  return (
    <>
      <div className="jk-Snippet">
        <pre aria-label={trans.__('The same as a line of the cell')} tabIndex={0}>
          {line}
        </pre>
        <CopyButton text={line} label={trans.__('Copy this line')} />
      </div>
      <Button label={trans.__('Copy as code')} onClick={() => kubeflow.copyCode(python)} />
    </>
  );
}
