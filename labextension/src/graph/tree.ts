import { isFinished, knownState } from '../model/states';
import type { IPipeline, IRun, IStepStatus } from '../model/types';
import type { IGraphData, IGraphEdge, IGraphNode } from './model';
import type { Chosen, IGroup, IIteration } from './outline';
import { NONE_CHOSEN, Outline, splitId, startsWith, Sum, worstProblems } from './outline';

interface IUnit {
  index: readonly number[];
  status: IStepStatus;
}

/** Every status of a step: its iterations where there are any, else its own. */
function unitsOf(statuses: readonly IStepStatus[]): Map<string, IUnit[]> {
  const found = new Map<string, IUnit[]>();
  for (const status of statuses) {
    if (!status.parent) {
      found.set(status.name, [{ index: [], status }]);
    }
  }
  const iterations = new Map<string, IUnit[]>();
  for (const status of statuses) {
    if (status.parent) {
      const list = iterations.get(status.parent) ?? [];
      list.push({ index: splitId(status.name).index ?? [], status });
      iterations.set(status.parent, list);
    }
  }
  iterations.forEach((list, name) => found.set(name, list));
  return found;
}

/** How all that is in a group stands: as a whole, and each iteration of it. */
class Inside {
  readonly whole = new Sum();
  readonly iterations = new Map<string, { index: readonly number[]; sum: Sum; item: string }>();

  add(unit: IUnit, depth: number, group: IGroup, own: boolean): void {
    this.whole.add(unit.status);
    if (group.kind !== 'loop' || unit.index.length < depth) {
      return;
    }
    const index = unit.index.slice(0, depth);
    const key = index.join();
    const known = this.iterations.get(key) ?? { index, sum: new Sum(), item: '' };
    known.sum.add(unit.status);
    if (own && unit.status.item) {
      known.item = unit.status.item;
    }
    this.iterations.set(key, known);
  }

  listed(id: string): IIteration[] {
    return [...this.iterations.values()]
      .sort((a, b) => compare(a.index, b.index))
      .map(({ index, sum, item }) => ({
        id: `${id}[${index.join()}]`,
        index,
        item,
        state: sum.state,
        seconds: sum.seconds
      }));
  }
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((number, place) => number !== b[place]);
  return at < 0 ? 0 : a[at] - b[at];
}

/** A compiled pipeline, and how each part of it stands; `chosen` says which iterations are looked at. */
export class Tree {
  constructor(
    readonly outline: Outline,
    private readonly _pipeline: IPipeline,
    statuses: readonly IStepStatus[],
    private readonly _chosen: Chosen = NONE_CHOSEN,
    private readonly _over = false
  ) {
    this._units = unitsOf(statuses);
    this._problems = worstProblems(_pipeline);
    this._own = new Map(
      statuses.filter(status => !status.parent).map(status => [status.name, status])
    );
    for (const step of _pipeline.steps) {
      const chain = outline.chain(step.name);
      const prefixes = chain.map(group => outline.prefix(group.parent, _chosen));
      const depths = chain.map(group => outline.depth(group.id));
      const last = chain.length - 1;
      for (const unit of this._units.get(step.name) ?? []) {
        chain.forEach((group, at) => {
          if (!unit.index.length || startsWith(unit.index, prefixes[at])) {
            const inside = this._inside.get(group.id) ?? new Inside();
            this._inside.set(group.id, inside);
            inside.add(unit, depths[at], group, at === last && unit.index.length === depths[at]);
          }
        });
      }
    }
  }

  /** How a group stands, in the iteration of the loops around it that is looked at. */
  sum(group: string): Sum {
    return this._inside.get(group)?.whole ?? new Sum();
  }

  iterations(group: string): IIteration[] {
    return this._inside.get(group)?.listed(group) ?? [];
  }

  /** The status of a step in the iteration that is looked at. */
  status(step: string): IStepStatus | null {
    const units = this._units.get(step);
    const own = this._own.get(step) ?? null;
    if (!units || !this.outline.depth(step)) {
      return own;
    }
    const prefix = this.outline.prefix(step, this._chosen);
    if (!prefix.length) {
      return own;
    }
    const inside = units.filter(unit => startsWith(unit.index, prefix));
    if (inside.length === 1) {
      return inside[0].status;
    }
    const sum = new Sum();
    inside.forEach(unit => sum.add(unit.status));
    return {
      ...(own ?? { name: step }),
      state: sum.state,
      reason: sum.why,
      startedAt: sum.startedAt,
      finishedAt: sum.finishedAt,
      seconds: sum.seconds
    };
  }

  node(step: string, title: string): IGraphNode {
    const status = this.status(step);
    const task = this.outline.tasks[step];
    const state = status ? knownState(status.state) : null;
    const left = this._over && state === 'PENDING';
    return {
      id: step,
      unit: status?.name ?? step,
      title,
      state: left ? null : state,
      left,
      reason: status?.reason,
      startedAt: status?.startedAt,
      finishedAt: status?.finishedAt,
      seconds: status?.seconds,
      cached: status?.cached,
      attempt: status?.attempt,
      problem: this._problems.get(step),
      exit: task?.always,
      condition: task?.condition || undefined,
      iterations: task?.item ? this._ownIterations(step) : undefined
    };
  }

  private _ownIterations(step: string): IIteration[] {
    const prefix = this.outline.prefix(step, this._chosen);
    return (this._units.get(step) ?? [])
      .filter(unit => unit.index.length && startsWith(unit.index, prefix))
      .sort((a, b) => compare(a.index, b.index))
      .map(({ index, status }) => iterationOf(status, index));
  }

  groupNode(group: IGroup): IGraphNode {
    const sum = this.sum(group.id);
    const state = sum.count ? sum.state : null;
    const left = this._over && state === 'PENDING';
    return {
      id: group.id,
      unit: group.id,
      title: group.title,
      group: group.kind,
      condition: group.condition || undefined,
      exit: group.always,
      state: left ? null : state,
      left,
      reason: sum.why,
      startedAt: sum.startedAt,
      finishedAt: sum.finishedAt,
      seconds: sum.seconds,
      cached: sum.count > 0 && sum.cached === sum.count,
      done: sum.done,
      count: sum.count,
      chosen: this._chosen.get(group.id) ?? null,
      iterations: group.kind === 'loop' ? this.iterations(group.id) : undefined
    };
  }

  /** What a step is called. */
  title(step: string): string {
    return this._pipeline.steps.find(each => each.name === step)?.title || step;
  }

  /** Steps and groups directly in a group; of the pipeline itself without one. */
  below(id = ''): { groups: IGroup[]; steps: string[] } {
    const groups = this.outline.groups.filter(group => group.parent === id);
    const steps = this._pipeline.steps.map(step => step.name);
    return { groups, steps: steps.filter(name => this.outline.around(name) === id) };
  }

  /** All of it, each group with what is in it. */
  data(critical: readonly string[]): IGraphData {
    const parts = new Map<string, IGraphData>([['', { nodes: [], edges: [], critical: [] }]]);
    const part = (id: string) => parts.get(id) ?? parts.get('')!;
    for (const group of this.outline.groups) {
      const inner: IGraphData = { nodes: [], edges: [], critical: [] };
      parts.set(group.id, inner);
      part(group.parent).nodes.push({ ...this.groupNode(group), inner });
    }
    for (const step of this._pipeline.steps) {
      part(this.outline.around(step.name)).nodes.push(
        this.node(step.name, step.title || step.name)
      );
    }
    const edges = lifted(this.outline, this._pipeline.edges);
    edges.forEach((list, id) => part(id).edges.push(...list));
    const ids = new Set(critical);
    critical.forEach(name => this.outline.chain(name).forEach(group => ids.add(group.id)));
    return { ...parts.get('')!, critical: [...ids] };
  }

  private readonly _units: Map<string, IUnit[]>;
  private readonly _problems: Map<string, 'error' | 'warning'>;
  private readonly _own: Map<string, IStepStatus>;
  private readonly _inside = new Map<string, Inside>();
}

/** An edge between steps of two groups is one between the groups, where both stand side by side. */
function lifted(outline: Outline, edges: readonly IGraphEdge[]): Map<string, IGraphEdge[]> {
  const found = new Map<string, Map<string, IGraphEdge>>();
  const paths = new Map<string, string[]>();
  const path = (step: string) => {
    const known = paths.get(step) ?? [...outline.chain(step).map(group => group.id), step];
    paths.set(step, known);
    return known;
  };
  for (const edge of edges) {
    const [from, to] = [path(edge.source), path(edge.target)];
    let at = 0;
    while (at < from.length - 1 && at < to.length - 1 && from[at] === to[at]) {
      at += 1;
    }
    const [source, target] = [from[at], to[at]];
    if (source !== target) {
      const id = at ? from[at - 1] : '';
      const list = found.get(id) ?? new Map<string, IGraphEdge>();
      const key = `${source}\n${target}`;
      const kind = list.get(key)?.kind === 'data' ? 'data' : edge.kind;
      list.set(key, { ...edge, source, target, kind });
      found.set(id, list);
    }
  }
  return new Map([...found].map(([id, list]) => [id, [...list.values()]]));
}

export function iterationOf(status: IStepStatus, index: readonly number[]): IIteration {
  return {
    id: status.name,
    index,
    state: knownState(status.state),
    item: status.item ?? (status.title && status.title !== status.name ? status.title : ''),
    seconds: status.seconds
  };
}

/** The tree of a run; null where it is of a notebook. */
export function treeOf(run: IRun, chosen: Chosen = NONE_CHOSEN): Tree | null {
  const pipeline = run.spec.pipeline?.graph;
  const outline = Outline.of(pipeline);
  const over = isFinished(run.status.phase);
  return outline && pipeline
    ? new Tree(outline, pipeline, run.status.steps ?? [], chosen, over)
    : null;
}
