import * as React from 'react';

import { Graph } from '../../graph/Graph';
import type { IGraphData } from '../../graph/model';
import { pipelineGraph, related } from '../../graph/model';
import type { IPipeline } from '../../model/types';
import { useTrans } from '../../ui/context';
import type { NotebookController } from '../controller';

/** Height of the bar's row that the map may fill, in pixels. */
const HEIGHT = 30;

/** The graph as squares from left to right, small enough for the bar; a square leads to its step. */
export function MiniMap(props: {
  controller: NotebookController;
  pipeline: IPipeline;
}): JSX.Element | null {
  const { controller, pipeline } = props;
  const { model } = controller;
  const trans = useTrans();
  const inner = React.useRef<HTMLDivElement>(null);
  const [size, setSize] = React.useState({ width: 0, height: 0 });
  React.useLayoutEffect(() => {
    const graph = inner.current?.firstElementChild as HTMLElement | null;
    if (graph && (graph.offsetWidth !== size.width || graph.offsetHeight !== size.height)) {
      setSize({ width: graph.offsetWidth, height: graph.offsetHeight });
    }
  }, [pipeline, size.width, size.height]);
  if (pipeline.steps.length < 2) {
    return null;
  }
  // The graph runs from top to bottom; here it is turned to run from left to right.
  const scale = size.width ? Math.min(1, HEIGHT / size.width) : 1;
  const data = withStates(pipelineGraph(pipeline), controller);
  const lit = model.hovered ? related(data.edges, model.hovered) : null;
  return (
    <div className="jk-MiniMap" style={{ width: size.height * scale, height: size.width * scale }}>
      <div ref={inner} style={{ transform: `matrix(0, ${scale}, ${scale}, 0, 0, 0)` }}>
        <Graph
          data={data}
          variant="mini"
          label={trans.__('Map of the steps')}
          selected={controller.activeStep}
          highlighted={lit}
          onSelect={step => void controller.goToStep(step)}
          onHover={step => {
            model.hovered = step;
          }}
        />
      </div>
    </div>
  );
}

function withStates(data: IGraphData, controller: NotebookController): IGraphData {
  const runs = controller.model.stepRuns;
  return {
    ...data,
    nodes: data.nodes.map(node => {
      const run = runs.get(node.id);
      return run ? { ...node, state: run.state, seconds: run.seconds, cached: run.cached } : node;
    })
  };
}
