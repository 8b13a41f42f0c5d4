import * as React from 'react';

import { View } from '../../app/documents';
import { Graph } from '../../graph/Graph';
import { pipelineGraph } from '../../graph/model';
import { Outline } from '../../graph/outline';
import type { IPipeline } from '../../model/types';
import type { IKubeflow } from '../../tokens';
import { useFetched, useKubeflow } from '../../ui/context';
import { Button, ErrorLine } from '../../ui/controls';
import { HeaderActions, ViewHeader } from '../../ui/header';
import { Split } from '../../ui/split';
import { RunForm } from './form';

/** A compiled pipeline before it runs: its graph, what it asks for, and what cannot run here. */
export class PipelineFileWidget extends View {
  constructor(
    kubeflow: IKubeflow,
    readonly path: string
  ) {
    super(
      kubeflow,
      `jupyter-kubeflow-file-${encodeURIComponent(path)}`,
      path.split('/').pop() ?? path
    );
    this.title.caption = path;
  }

  protected body(): JSX.Element {
    return <PipelineFile path={this.path} onClose={() => this.parent?.dispose()} />;
  }
}

function PipelineFile(props: { path: string; onClose: () => void }): JSX.Element {
  const { path } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { value, error, loading, reload } = useFetched(path, signal =>
    kubeflow.request<{ pipeline: IPipeline }>('pipelines:check', {
      method: 'POST',
      body: { path },
      signal
    })
  );
  const pipeline = value?.pipeline ?? null;
  const data = React.useMemo(() => pipeline && pipelineGraph(pipeline), [pipeline]);
  const outline = React.useMemo(() => Outline.of(pipeline), [pipeline]);
  if (error) {
    return (
      <div className="jk-PipelineFile-refused">
        <ErrorLine error={error} onRetry={reload} />
      </div>
    );
  }
  if (loading || !pipeline || !data || !outline) {
    return <p className="jk-Quiet">{trans.__('Loading…')}</p>;
  }
  const count = trans._n('%1 task', '%1 tasks', pipeline.steps.length);
  return (
    <div className="jk-RunView">
      <ViewHeader
        title={pipeline.title || pipeline.name}
        actions={
          <HeaderActions label={trans.__('This file')}>
            <Button label={trans.__('Open as text')} onClick={() => kubeflow.goToFile(path)} />
            <Button label={trans.__('Read again')} onClick={reload} />
          </HeaderActions>
        }
      >
        <ul className="jk-FactLine" aria-label={trans.__('Facts of this file')}>
          <li dir="auto">{path}</li>
          <li>{count}</li>
        </ul>
      </ViewHeader>
      <Split
        label={trans.__('Resize graph')}
        share={56}
        left={
          <div className="jk-Picture">
            <div className="jk-Picture-panel">
              <Graph data={data} label={trans.__('Tasks of %1', pipeline.name)} />
            </div>
          </div>
        }
        right={
          <div className="jk-PipelineFile-form">
            <RunForm
              path={path}
              pipeline={pipeline}
              asked={outline.parameters}
              onDone={props.onClose}
            />
          </div>
        }
      />
    </div>
  );
}
