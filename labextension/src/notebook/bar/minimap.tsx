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
  const selected = controller.activeStep;
  // One stop of the tab key for the whole map; the arrow keys go on from there.
  React.useEffect(() => {
    const buttons = nodeButtons(inner.current);
    const stop = buttons.find(button => button.dataset.node === selected) ?? buttons[0];
    buttons.forEach(button => {
      button.tabIndex = button === stop ? 0 : -1;
    });
  }, [pipeline, selected]);
  if (pipeline.steps.length < 2) {
    return null;
  }
  // The graph runs from top to bottom; here it is turned to run from left to right.
  const scale = size.width ? Math.min(1, HEIGHT / size.width) : 1;
  const data = withStates(pipelineGraph(pipeline), controller);
  const lit = model.hovered ? related(data.edges, model.hovered) : null;
  return (
    <div
      className="jk-MiniMap"
      style={{ width: size.height * scale, height: size.width * scale }}
      onKeyDown={onArrow}
    >
      <div ref={inner} style={{ transform: `matrix(0, ${scale}, ${scale}, 0, 0, 0)` }}>
        <Graph
          data={data}
          variant="mini"
          label={trans.__('Map of the steps')}
          selected={selected}
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

function nodeButtons(parent: Element | null): HTMLElement[] {
  return [...(parent?.querySelectorAll<HTMLElement>('button[data-node]') ?? [])];
}

function onArrow(event: React.KeyboardEvent<HTMLElement>): void {
  const buttons = nodeButtons(event.currentTarget);
  const at = buttons.indexOf(event.target as HTMLElement);
  const moves: Record<string, number> = {
    ArrowRight: at + 1,
    ArrowDown: at + 1,
    ArrowLeft: at - 1,
    ArrowUp: at - 1,
    Home: 0,
    End: buttons.length - 1
  };
  const next = buttons[moves[event.key] ?? -1];
  if (at >= 0 && next) {
    next.focus();
    event.preventDefault();
    event.stopPropagation();
  }
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
