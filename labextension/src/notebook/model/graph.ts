/** Questions about a pipeline that the cells ask: whose am I, who feeds me, whom do I feed. */
import type { IEdge, IPipeline, IProblem, IStep } from '../../model/types';

/** A cell's place in its step. */
export interface ICellStep {
  readonly step: IStep;
  /** Position of the step in the notebook, from 0; it picks the hue. */
  readonly order: number;
  /** Whether it is the first code cell of the step: the one with the name. */
  readonly first: boolean;
}

/** A value that a step reads, and the step that made it. */
export interface IOrigin {
  readonly name: string;
  readonly from: string | null;
}

/** From cell id to the step it belongs to. */
export function cellSteps(pipeline: IPipeline): Map<string, ICellStep> {
  const found = new Map<string, ICellStep>();
  pipeline.steps.forEach((step, order) => {
    const code = step.cells.filter(cell => (cell.cellType ?? 'code') === 'code');
    code.forEach((cell, index) => {
      found.set(cell.id, { step, order, first: index === 0 });
    });
  });
  return found;
}

/** Steps that must be finished before this one, and steps that need it; both without itself. */
export function neighbours(
  pipeline: IPipeline,
  name: string
): { upstream: Set<string>; downstream: Set<string> } {
  return {
    upstream: reach(pipeline.edges, name, edge => [edge.target, edge.source]),
    downstream: reach(pipeline.edges, name, edge => [edge.source, edge.target])
  };
}

function reach(
  edges: readonly IEdge[],
  start: string,
  direction: (edge: IEdge) => [string, string]
): Set<string> {
  const next = new Map<string, string[]>();
  for (const edge of edges) {
    const [from, to] = direction(edge);
    next.set(from, [...(next.get(from) ?? []), to]);
  }
  const seen = new Set<string>();
  const open = [start];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const other of next.get(name) ?? []) {
      if (!seen.has(other) && other !== start) {
        seen.add(other);
        open.push(other);
      }
    }
  }
  return seen;
}

/** What a step reads, each with the step it comes from as far as the edges tell. */
export function origins(pipeline: IPipeline, step: IStep): IOrigin[] {
  const before = pipeline.steps.slice(0, pipeline.steps.indexOf(step)).reverse();
  const incoming = pipeline.edges.filter(edge => edge.target === step.name);
  return step.reads.map(name => {
    const edge = incoming.find(item => item.names?.includes(name));
    const writer = before.find(
      item => item.writes.includes(name) || (item.mayWrite ?? []).includes(name)
    );
    return { name, from: edge?.source ?? writer?.name ?? null };
  });
}

/** The steps that use a value written by this one. */
export function readers(pipeline: IPipeline, step: IStep, name: string): string[] {
  return pipeline.edges
    .filter(edge => edge.source === step.name && edge.names?.includes(name))
    .map(edge => edge.target);
}

const WEIGHT = { error: 0, warning: 1, info: 2 };

/** Problems to show at cells, by cell id: errors first, mere notes left to the list. */
export function problemsByCell(pipeline: IPipeline): Map<string, IProblem[]> {
  const found = new Map<string, IProblem[]>();
  for (const problem of pipeline.problems ?? []) {
    const id = problem.cellId;
    if (id && problem.severity !== 'info') {
      found.set(id, [...(found.get(id) ?? []), problem]);
    }
  }
  for (const list of found.values()) {
    list.sort((left, right) => WEIGHT[left.severity] - WEIGHT[right.severity]);
  }
  return found;
}

/** How many problems keep the pipeline from running, and how many only warn. */
export function countProblems(pipeline: IPipeline | null): { errors: number; warnings: number } {
  const problems = pipeline?.problems ?? [];
  return {
    errors: problems.filter(problem => problem.severity === 'error').length,
    warnings: problems.filter(problem => problem.severity === 'warning').length
  };
}
