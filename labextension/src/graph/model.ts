import type { LabIcon } from '@jupyterlab/ui-components';

import { isFinished, knownState } from '../model/states';
import type { IPipeline, IRun, IStepStatus, RunState } from '../model/types';
import type { Chosen, IGroup, IIteration } from './outline';
import { Outline, splitId, worstProblems } from './outline';
import { iterationOf, Tree, treeOf } from './tree';

/** What the drawing knows about a node; the same for a run and for a notebook that never ran. */
export interface IGraphNode {
  id: string;
  title: string;
  /** Null before any run. */
  state: RunState | null;
  reason?: string;
  startedAt?: string | null;
  finishedAt?: string | null;
  seconds?: number | null;
  cached?: boolean;
  attempt?: number;
  kind?: 'setup' | 'step';
  /** The run is over and never came to it. */
  left?: boolean;
  /** What is told below the title, instead of the state. */
  note?: string;
  /** What stands where the state would, while there is none. */
  icon?: LabIcon;
  /** A problem found in the code of this step. */
  problem?: 'error' | 'warning';
  /** What is selected with it, where that is an iteration of it. */
  unit?: string;
  /** Iterations of a step, or of a group, that runs for every item. */
  iterations?: IIteration[];
  /** A DAG in the pipeline: it folds open. */
  group?: IGroup['kind'];
  inner?: IGraphData;
  /** Of the tasks in it. */
  done?: number;
  count?: number;
  /** The iteration of it that its inside shows. */
  chosen?: readonly number[] | null;
  /** When it runs, as somebody would write it. */
  condition?: string;
  /** It runs at the end, whatever happened. */
  exit?: boolean;
}

export interface IGraphEdge {
  source: string;
  target: string;
  /** `dynamic` was found while running. */
  kind?: 'data' | 'declared' | 'order' | 'dynamic';
  names?: string[];
  reason?: string;
}

export interface IGraphData {
  nodes: IGraphNode[];
  edges: IGraphEdge[];
  /** Ids on the longest way through the run. */
  critical: string[];
}

function statusNode(status: IStepStatus, over: boolean, title?: string): IGraphNode {
  const state = knownState(status.state);
  const left = over && state === 'PENDING';
  return {
    id: status.name,
    title: title || status.title || status.name,
    state: left ? null : state,
    left,
    reason: status.reason,
    startedAt: status.startedAt,
    finishedAt: status.finishedAt,
    seconds: status.seconds,
    cached: status.cached,
    attempt: status.attempt
  };
}

/** The graph of a run: the pipeline as submitted with the states of now. */
export function runGraph(run: IRun, chosen?: Chosen): IGraphData {
  const pipeline = run.spec.pipeline?.graph;
  const statuses = run.status.steps ?? [];
  const over = isFinished(run.status.phase);
  const tree = treeOf(run, chosen);
  if (tree) {
    return tree.data(over ? (run.status.criticalPath ?? []) : []);
  }
  const byName = new Map(statuses.map(step => [step.name, step]));
  const iterations = new Map<string, IIteration[]>();
  for (const status of statuses) {
    if (status.parent) {
      const list = iterations.get(status.parent) ?? [];
      list.push(iterationOf(status, splitId(status.name).index ?? [list.length]));
      iterations.set(status.parent, list);
    }
  }
  const roots = pipeline
    ? pipeline.steps.map(step => ({
        ...statusNode(
          byName.get(step.name) ?? { name: step.name, state: 'PENDING' },
          over,
          step.title
        ),
        kind: step.kind
      }))
    : statuses.filter(status => !status.parent).map(status => statusNode(status, over));
  const nodes = roots.map(node => ({ ...node, iterations: iterations.get(node.id) }));
  return {
    nodes,
    edges: [...(pipeline?.edges ?? []), ...addedEdges(statuses)],
    // While it runs, the longest way is only a guess: marking it would mislead.
    critical: over ? (run.status.criticalPath ?? []) : []
  };
}

function addedEdges(statuses: readonly IStepStatus[]): IGraphEdge[] {
  return statuses.flatMap(status =>
    (status.edgesAdded ?? []).map(source => ({
      source,
      target: status.name,
      kind: 'dynamic' as const
    }))
  );
}

/** The graph of a notebook as it is now, with its problems. */
export function pipelineGraph(pipeline: IPipeline): IGraphData {
  const outline = Outline.of(pipeline);
  if (outline) {
    return new Tree(outline, pipeline, []).data([]);
  }
  const worst = worstProblems(pipeline);
  const nodes = pipeline.steps.map(step => ({
    id: step.name,
    title: step.title || step.name,
    state: null,
    kind: step.kind,
    problem: worst.get(step.name)
  }));
  return { nodes, edges: pipeline.edges, critical: [] };
}

/** Everything that a node needs and everything that needs it, itself included. */
export function related(edges: readonly IGraphEdge[], id: string): Set<string> {
  const found = new Set([id]);
  const follow = (from: 'source' | 'target', to: 'source' | 'target') => {
    const stack = [id];
    const seen = new Set<string>();
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (!seen.has(at)) {
        seen.add(at);
        found.add(at);
        edges.filter(edge => edge[from] === at).forEach(edge => stack.push(edge[to]));
      }
    }
  };
  follow('source', 'target');
  follow('target', 'source');
  return found;
}
