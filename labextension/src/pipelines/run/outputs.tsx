import type { IRenderMime } from '@jupyterlab/rendermime';
import { MimeModel } from '@jupyterlab/rendermime';
import type { PartialJSONObject } from '@lumino/coreutils';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

import { useFetched, useKubeflow } from '../../ui/context';
import { ErrorLine } from '../../ui/controls';

interface ICellOutputs {
  index: number;
  id?: string;
  execution_count?: number | null;
  outputs: PartialJSONObject[];
  seconds?: number;
}

/** What the cells of a step printed and displayed, drawn as in the notebook; nothing in it is trusted. */
export function Outputs(props: { run: string; step: string; version: string }): JSX.Element {
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const path = `runs/${encodeURIComponent(props.run)}/outputs/${encodeURIComponent(props.step)}`;
  const { value, error, loading } = useFetched(`${path}@${props.version}`, signal =>
    kubeflow.request<ICellOutputs[]>(path, { signal })
  );
  if (error) {
    return <ErrorLine error={error} />;
  }
  if (loading || !value) {
    return <p className="jk-Quiet">{trans.__('Loading…')}</p>;
  }
  const cells = value.filter(cell => cell.outputs.length);
  if (!cells.length) {
    return <p className="jk-Quiet">{trans.__('The cells displayed nothing.')}</p>;
  }
  return (
    <>
      {cells.map(cell => (
        <div key={cell.index} className="jk-CellOutputs">
          <span className="jk-CellOutputs-cell">{trans.__('Cell %1', cell.index)}</span>
          {cell.outputs.map((output, index) => (
            <Output key={index} output={output} />
          ))}
        </div>
      ))}
    </>
  );
}

/** The bundle of an nbformat output, whatever its kind. */
function bundle(output: PartialJSONObject): PartialJSONObject {
  const joined = (value: unknown) => (Array.isArray(value) ? value.join('') : value);
  if (output.output_type === 'stream') {
    const mime =
      output.name === 'stderr'
        ? 'application/vnd.jupyter.stderr'
        : 'application/vnd.jupyter.stdout';
    return { [mime]: joined(output.text) as string };
  }
  if (output.output_type === 'error') {
    const lines = output.traceback;
    const text = Array.isArray(lines) ? lines.join('\n') : `${output.ename}: ${output.evalue}`;
    return { 'application/vnd.jupyter.error': text };
  }
  const data = (output.data ?? {}) as PartialJSONObject;
  return Object.fromEntries(
    Object.entries(data).map(([mime, value]) => [
      mime,
      mime.endsWith('json') ? value : (joined(value) as string)
    ])
  );
}

function Output(props: { output: PartialJSONObject }): JSX.Element {
  const { rendermime } = useKubeflow();
  const host = React.useRef<HTMLDivElement>(null);
  // Before the element goes: a widget must be detached while it still has a place.
  React.useLayoutEffect(() => {
    const node = host.current;
    const data = bundle(props.output);
    const mime = rendermime?.preferredMimeType(data, 'any');
    if (!node || !rendermime || !mime) {
      if (node) {
        node.textContent = String(data['text/plain'] ?? Object.values(data)[0] ?? '');
      }
      return;
    }
    const renderer: IRenderMime.IRenderer = rendermime.createRenderer(mime);
    const metadata = (props.output.metadata ?? {}) as PartialJSONObject;
    void renderer.renderModel(new MimeModel({ data, metadata, trusted: false }));
    Widget.attach(renderer, node);
    return () => {
      if (renderer.isAttached && renderer.node.isConnected) {
        Widget.detach(renderer);
      }
      renderer.dispose();
    };
  }, [rendermime, props.output]);
  return <div className="jk-Output" ref={host} />;
}
