import { notebookIcon, runIcon } from '@jupyterlab/ui-components';
import type { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Graph } from '../../graph/Graph';
import { kubeflowIcon, trainingIcon } from '../../icons';
import { useKubeflow } from '../../ui/context';
import { Button, ErrorLine } from '../../ui/controls';
import { dataIcon, endIcon, filesIcon, modelIcon } from '../icons';
import { kindWord, lineageGraph } from '../model/lineage';
import type { ILineage, IModel, IVersion } from '../model/types';
import { useAnswer } from './detail';

const ICONS: Record<string, LabIcon> = {
  Data: dataIcon,
  Notebook: notebookIcon,
  Cell: runIcon,
  Run: kubeflowIcon,
  Step: runIcon,
  Artifact: filesIcon,
  Version: modelIcon,
  InferenceService: endIcon
};

/** From the data to the endpoint; what is there can be gone to. */
export function Lineage(props: { model: IModel; version: IVersion }): JSX.Element {
  const { model, version } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { value, error, reload } = useAnswer<ILineage>(model, version.version, 'lineage');
  const [selected, setSelected] = React.useState<string | null>(null);
  const data = React.useMemo(() => {
    if (!value) {
      return null;
    }
    const graph = lineageGraph(value, trans);
    const kinds = new Map(value.nodes.map(node => [node.id, node.kind]));
    const icon = (id: string) => ICONS[kinds.get(id) ?? ''] ?? trainingIcon;
    return { ...graph, nodes: graph.nodes.map(node => ({ ...node, icon: icon(node.id) })) };
  }, [value, trans]);
  if (error) {
    return <ErrorLine error={error} onRetry={reload} />;
  }
  if (!value || !data) {
    return <p className="jk-Quiet">{trans.__('Loading…')}</p>;
  }
  const node = value.nodes.find(each => each.id === selected);
  const ref = node?.ref;
  const here = ref?.kind === 'RegisteredModel' && ref.place?.version === version.version;
  const can = ref && kubeflow.sections.view(ref.kind) && !here;
  const open = (id: string) => {
    const target = value.nodes.find(each => each.id === id)?.ref;
    if (target && kubeflow.sections.view(target.kind)) {
      void kubeflow.open(target.kind, target.name, target.place);
    }
  };
  return (
    <div className="jk-Lineage">
      <Graph
        data={data}
        label={trans.__('Lineage of version %1', version.version)}
        selected={selected}
        onSelect={setSelected}
        onOpen={open}
      />
      {node && (
        <div className="jk-Lineage-foot" role="region" aria-label={node.title}>
          <div className="jk-Lineage-words">
            <b dir="auto">{node.title}</b>{' '}
            <span className="jk-Muted">{kindWord(node.kind, trans)}</span>
            {node.note && (
              <div className="jk-Muted jk-Ellipsis" title={node.note} dir="auto">
                {node.note}
              </div>
            )}
          </div>
          {can && <Button label={trans.__('Open')} kind="primary" onClick={() => open(node.id)} />}
        </div>
      )}
    </div>
  );
}
