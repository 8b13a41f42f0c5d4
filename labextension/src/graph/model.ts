import { isFinished, knownState } from '../model/states';
import type { IPipeline, IRun, IStepStatus, RunState } from '../model/types';

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
  /** A problem found in the code of this step. */
  problem?: 'error' | 'warning';
  /** Iterations of a step that runs for every item. */
  children?: IGraphNode[];
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
export function runGraph(run: IRun): IGraphData {
  const pipeline = run.spec.pipeline?.graph;
  const statuses = run.status.steps ?? [];
  const over = isFinished(run.status.phase);
  const byName = new Map(statuses.map(step => [step.name, step]));
  const children = new Map<string, IGraphNode[]>();
  for (const status of statuses) {
    if (status.parent) {
      const list = children.get(status.parent) ?? [];
      list.push(statusNode(status, over));
      children.set(status.parent, list);
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
  const nodes = roots.map(node => ({ ...node, children: children.get(node.id) }));
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
  const worst = new Map<string, 'error' | 'warning'>();
  for (const problem of pipeline.problems ?? []) {
    if (problem.step && problem.severity !== 'info' && worst.get(problem.step) !== 'error') {
      worst.set(problem.step, problem.severity);
    }
  }
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
