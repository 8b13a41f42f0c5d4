import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import { kubeflowIcon } from '../../icons';
import type { IPipeline } from '../../model/types';
import type { IKubeflow } from '../../tokens';
import { KubeflowProvider, useKubeflow, useSignal, useTrans } from '../../ui/context';
import { Button, ErrorLine } from '../../ui/controls';
import { StateBadge } from '../../ui/state';
import type { NotebookController } from '../controller';
import { countProblems } from '../model/graph';
import { foldIcon, unfoldIcon } from './icons';
import { MiniMap } from './minimap';
import { ParametersPane } from './parameters';
import { ProblemsPane } from './problems';
import { RunControls } from './run';
import { SeverityIcon } from '../cells/severity';
import { closeIcon } from '@jupyterlab/ui-components';

/** The bar above a notebook's cells. Its height follows its content. */
export class PipelineBar extends ReactWidget {
  constructor(
    private readonly _controller: NotebookController,
    private readonly _kubeflow: IKubeflow
  ) {
    super();
    this.addClass('jk-BarHost');
  }

  protected render(): JSX.Element {
    return (
      <KubeflowProvider value={this._kubeflow}>
        <Bar controller={this._controller} />
      </KubeflowProvider>
    );
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._observer = new ResizeObserver(() => this._fit());
    void Promise.resolve(this.renderPromise).then(() => {
      const content = this.node.firstElementChild;
      if (content) {
        this._observer?.observe(content);
        this._fit();
      }
    });
  }

  protected onBeforeDetach(message: Message): void {
    this._observer?.disconnect();
    this._observer = null;
    super.onBeforeDetach(message);
  }

  /** Box layouts know only sizes that are set. */
  private _fit(): void {
    const height = `${(this.node.firstElementChild as HTMLElement | null)?.offsetHeight ?? 0}px`;
    if (this.node.style.minHeight !== height) {
      this.node.style.minHeight = this.node.style.maxHeight = height;
      this.parent?.fit();
    }
  }

  private _observer: ResizeObserver | null = null;
}

function Bar(props: { controller: NotebookController }): JSX.Element {
  const { model, barState } = props.controller;
  const trans = useTrans();
  useSignal(model.changed);
  useSignal(barState.changed);
  const folded = barState.mode === 'chip';
  return (
    <section
      className={folded ? 'jk-Bar jk-mod-chip' : 'jk-Bar'}
      aria-label={trans.__('Pipeline of this notebook')}
      aria-busy={model.checking}
    >
      {folded ? (
        <FoldedBar controller={props.controller} />
      ) : (
        <FullBar controller={props.controller} />
      )}
    </section>
  );
}

function FoldedBar(props: { controller: NotebookController }): JSX.Element {
  const { model, barState } = props.controller;
  const trans = useTrans();
  const { errors } = countProblems(model.pipeline);
  return (
    <button
      type="button"
      className="jk-Bar-chip"
      aria-expanded={false}
      title={trans.__('Show the pipeline bar')}
      onClick={() => barState.set({ mode: 'full' })}
    >
      <kubeflowIcon.react tag="span" className="jk-Bar-icon" />
      <span>{model.pipeline ? pipelineName(model.pipeline) : trans.__('Pipeline')}</span>
      {errors > 0 && <SeverityIcon severity="error" />}
      {model.run && <StateBadge state={model.run.status.phase} compact />}
      <unfoldIcon.react tag="span" className="jk-Bar-icon" />
    </button>
  );
}

function FullBar(props: { controller: NotebookController }): JSX.Element {
  const { controller } = props;
  const { model, barState } = controller;
  const trans = useTrans();
  const { pipeline } = model;
  const [refusal, setRefusal] = React.useState<unknown>(null);
  return (
    <>
      <div className="jk-Bar-row">
        <kubeflowIcon.react tag="span" className="jk-Bar-icon" />
        <BarTitle controller={controller} />
        <ProblemsButton controller={controller} />
        {pipeline && <MiniMap controller={controller} pipeline={pipeline} />}
        <RunControls controller={controller} onRefusal={setRefusal} />
        <span className="jk-Bar-ends">
          <Button
            label={trans.__('Fold the pipeline bar to a chip')}
            icon={foldIcon}
            iconOnly
            onClick={() => barState.set({ mode: 'chip' })}
          />
          <Button
            label={trans.__('Close the pipeline bar')}
            icon={closeIcon}
            iconOnly
            onClick={() => barState.set({ mode: 'none' })}
          />
        </span>
      </div>
      {model.trouble && <ErrorLine error={model.trouble} onRetry={() => void model.checkNow()} />}
      {Boolean(refusal) && <Refusal error={refusal} onClose={() => setRefusal(null)} />}
      {barState.pane === 'problems' && <ProblemsPane controller={controller} />}
      {barState.pane === 'parameters' && pipeline && (
        <ParametersPane controller={controller} pipeline={pipeline} onRefusal={setRefusal} />
      )}
    </>
  );
}

/** Why the server did not take the run. */
function Refusal(props: { error: unknown; onClose: () => void }): JSX.Element {
  const trans = useTrans();
  return (
    <div className="jk-Bar-refusal" role="alert">
      <ErrorLine error={props.error} />
      <Button label={trans.__('Hide')} icon={closeIcon} iconOnly onClick={props.onClose} />
    </div>
  );
}

function BarTitle(props: { controller: NotebookController }): JSX.Element {
  const { model } = props.controller;
  const { pipeline } = model;
  const trans = useTrans();
  const kubeflow = useKubeflow();
  useSignal(kubeflow.resources.connectionChanged);
  if (!pipeline) {
    const words = model.trouble ? trans.__('Not checked') : trans.__('Reading the notebook…');
    return <span className="jk-Bar-count">{words}</span>;
  }
  const count = pipeline.steps.filter(step => step.kind !== 'setup').length;
  const name = pipelineName(pipeline);
  return (
    <>
      <h2 className="jk-Bar-name" title={name}>
        {name}
      </h2>
      <span className="jk-Bar-count">
        {count
          ? trans._n('1 step', '%1 steps', count, count)
          : trans.__('No steps yet: a heading or a line %%step NAME starts one')}
      </span>
    </>
  );
}

function pipelineName(pipeline: IPipeline): string {
  return pipeline.title || pipeline.name;
}

function ProblemsButton(props: { controller: NotebookController }): JSX.Element | null {
  const { model, barState } = props.controller;
  const trans = useTrans();
  const { errors, warnings } = countProblems(model.pipeline);
  const open = barState.pane === 'problems';
  if (!(model.pipeline?.problems ?? []).length) {
    return model.pipeline ? <span className="jk-Bar-fine">{trans.__('No problems')}</span> : null;
  }
  const worst = errors ? 'error' : warnings ? 'warning' : 'info';
  const words = [
    errors ? trans._n('1 error', '%1 errors', errors, errors) : '',
    warnings ? trans._n('1 warning', '%1 warnings', warnings, warnings) : ''
  ].filter(Boolean);
  return (
    <button
      type="button"
      className={`jk-Button jk-Bar-problems jk-mod-${worst}`}
      aria-expanded={open}
      onClick={() => barState.set({ pane: open ? null : 'problems' })}
    >
      <SeverityIcon severity={worst} />
      <span>{words.join(', ') || trans.__('Notes')}</span>
    </button>
  );
}
