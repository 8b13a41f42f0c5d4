/** Small notebooks and pipelines to test with, written the way people write them. */
import type { IPipeline, IRun, IStep, RunState } from '../../../model/types';
import type { ICellText } from '../cells';
import type { IText } from '../../../model/text';

/** English, with the same placeholders as a translation bundle. */
export const text: IText = {
  __: (message: string, ...values: unknown[]) => fill(message, values),
  _n: (one: string, many: string, count: number, ...values: unknown[]) =>
    fill(count === 1 ? one : many, [count, ...values])
};

function fill(message: string, values: readonly unknown[]): string {
  return message.replace(/%(\d+)/g, (_, index: string) => String(values[Number(index) - 1]));
}

export function code(id: string, source: string, ...tags: string[]): ICellText {
  return { id, type: 'code', source, tags };
}

export function markdown(id: string, source: string): ICellText {
  return { id, type: 'markdown', source, tags: [] };
}

export function step(name: string, cells: readonly ICellText[], more: Partial<IStep> = {}): IStep {
  return {
    name,
    cells: cells.map((cell, index) => ({
      index: index + 1,
      id: cell.id,
      source: cell.source,
      cellType: cell.type
    })),
    reads: [],
    writes: [],
    ...more
  };
}

export function pipeline(steps: IStep[], more: Partial<IPipeline> = {}): IPipeline {
  return { name: 'demo', grammar: 'tags', steps, edges: [], problems: [], ...more };
}

export function run(
  name: string,
  path: string,
  states: Record<string, RunState>,
  more: Partial<IRun['status']> = {}
): IRun {
  return {
    kind: 'Run',
    metadata: { name, uid: `uid-${name}`, resourceVersion: 1 },
    spec: { pipeline: { name: 'demo', path } },
    status: {
      phase: 'RUNNING',
      steps: Object.entries(states).map(([item, state]) => ({ name: item, state })),
      ...more
    }
  };
}
