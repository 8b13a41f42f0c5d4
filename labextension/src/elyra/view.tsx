import type { DocumentRegistry } from '@jupyterlab/docregistry';
import * as React from 'react';

import { View } from '../app/documents';
import { Graph } from '../graph/Graph';
import { pipelineGraph } from '../graph/model';
import { Outline } from '../graph/outline';
import type { IPipeline } from '../model/types';
import { RunForm } from '../pipelines/compiled/form';
import type { IKubeflow } from '../tokens';
import { useFetched, useKubeflow } from '../ui/context';
import { Button, ErrorLine } from '../ui/controls';
import { HeaderActions, ViewHeader } from '../ui/header';
import { Split } from '../ui/split';
import type { IConverted, IElyraFiles } from './files';
import { baseName, fileOf } from './files';

/** Opens a file, or the same file as text. */
export type OpenFile = (path: string, asText?: boolean) => void;

/** A pipeline of Elyra's: its graph, the files of its nodes, its parameters, and what else can be made of it. */
export class ElyraView extends View {
  constructor(
    kubeflow: IKubeflow,
    private readonly context: DocumentRegistry.Context,
    private readonly open: OpenFile
  ) {
    super(
      kubeflow,
      `jupyter-kubeflow-elyra-${encodeURIComponent(context.path)}`,
      baseName(context.path)
    );
    context.fileChanged.connect(this.reread, this);
    context.pathChanged.connect(this.reread, this);
  }

  dispose(): void {
    if (!this.isDisposed) {
      this.context.fileChanged.disconnect(this.reread, this);
      this.context.pathChanged.disconnect(this.reread, this);
    }
    super.dispose();
  }

  protected body(): JSX.Element {
    return (
      <ElyraPipeline
        path={this.context.localPath}
        version={this.version}
        open={this.open}
        onClose={() => this.parent?.dispose()}
      />
    );
  }

  private reread(): void {
    this.version += 1;
    this.update();
  }

  private version = 0;
}

interface IElyraProps {
  path: string;
  /** Grows whenever the file is written. */
  version: number;
  open: OpenFile;
  onClose: () => void;
}

function useElyra(props: IElyraProps) {
  const kubeflow = useKubeflow();
  const ask = <T,>(verb: string, signal: AbortSignal) =>
    kubeflow.request<T>(`pipelines:${verb}`, {
      method: 'POST',
      body: { path: props.path },
      signal
    });
  const key = `${props.path} ${props.version}`;
  const checked = useFetched(key, signal => ask<{ pipeline: IPipeline }>('check', signal));
  const files = useFetched(key, signal => ask<IElyraFiles>('files', signal));
  return { ...checked, pipeline: checked.value?.pipeline ?? null, files: files.value ?? null };
}

function ElyraPipeline(props: IElyraProps): JSX.Element {
  const { path, open } = props;
  const { trans } = useKubeflow();
  const { pipeline, files, error, loading, reload } = useElyra(props);
  const [selected, setSelected] = React.useState<string | null>(null);
  const data = React.useMemo(() => pipeline && pipelineGraph(pipeline), [pipeline]);
  const outline = React.useMemo(() => Outline.of(pipeline), [pipeline]);
  if (error) {
    return (
      <div className="jk-PipelineFile-refused">
        <ErrorLine error={error} onRetry={reload} />
        <Button label={trans.__('Open as text')} onClick={() => open(path, true)} />
      </div>
    );
  }
  if (!pipeline || !data || !outline) {
    return <p className="jk-Quiet">{loading ? trans.__('Loading…') : null}</p>;
  }
  const file = fileOf(files, selected);
  return (
    <div className="jk-RunView">
      <Header {...props} pipeline={pipeline} file={file} reload={reload} />
      <Split
        label={trans.__('Resize graph')}
        share={56}
        left={
          <div className="jk-Picture">
            <div className="jk-Picture-panel">
              <Graph
                data={data}
                label={trans.__('Nodes of %1', pipeline.name)}
                selected={selected}
                onSelect={setSelected}
                onOpen={id => {
                  const found = fileOf(files, id);
                  if (found) {
                    open(found);
                  }
                }}
              />
            </div>
          </div>
        }
        right={
          <div className="jk-PipelineFile-form">
            <RunForm
              key={props.version}
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

function Header(
  props: IElyraProps & { pipeline: IPipeline; file: string | null; reload: () => void }
): JSX.Element {
  const { path, pipeline, file, open } = props;
  const { trans } = useKubeflow();
  const { converted, error, convert } = useConversion(path, open);
  const count = trans._n('%1 node', '%1 nodes', pipeline.steps.length);
  return (
    <ViewHeader
      title={pipeline.title || pipeline.name}
      actions={
        <HeaderActions label={trans.__('This file')}>
          <Button
            label={file ? trans.__('Open %1', baseName(file)) : trans.__('Open node')}
            disabled={file ? null : trans.__('Select a node that runs a file.')}
            onClick={() => {
              if (file) {
                open(file);
              }
            }}
          />
          <Button label={trans.__('Convert to notebook')} onClick={() => convert('notebook')} />
          <Button label={trans.__('Convert to YAML')} onClick={() => convert('yaml')} />
          <Button label={trans.__('Open as text')} onClick={() => open(path, true)} />
          <Button label={trans.__('Read again')} onClick={props.reload} />
        </HeaderActions>
      }
    >
      <ul className="jk-FactLine" aria-label={trans.__('Facts of this file')}>
        <li dir="auto">{path}</li>
        <li>{count}</li>
        <li>{String(pipeline.metadata?.sdk ?? '')}</li>
      </ul>
      {error ? <ErrorLine error={error} /> : null}
      {converted && <Notes converted={converted} />}
    </ViewHeader>
  );
}

function useConversion(path: string, open: OpenFile) {
  const kubeflow = useKubeflow();
  const [converted, setConverted] = React.useState<IConverted | null>(null);
  const [error, setError] = React.useState<unknown>(null);
  const convert = async (to: 'notebook' | 'yaml') => {
    setError(null);
    setConverted(null);
    try {
      const found = await kubeflow.request<IConverted>('pipelines:convert', {
        method: 'POST',
        body: { path, to }
      });
      setConverted(found);
      open(found.path);
    } catch (reason) {
      setError(reason);
    }
  };
  return { converted, error, convert };
}

function Notes(props: { converted: IConverted }): JSX.Element {
  const { trans } = useKubeflow();
  const { path, notes } = props.converted;
  return (
    <div role="status">
      <p dir="auto">
        {notes.length
          ? trans.__('Written: %1. What is not in it as it was:', path)
          : trans.__('Written: %1. All of it is in it.', path)}
      </p>
      <ul className="jk-Plain">
        {notes.map(note => (
          <li key={note} dir="auto">
            {note}
          </li>
        ))}
      </ul>
    </div>
  );
}
