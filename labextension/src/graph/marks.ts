import type { RunState } from '../model/types';
import type { IIteration } from './outline';

/** What a mark of several iterations shows: the first of these that any of them is in. */
const WORST: RunState[] = ['FAILED', 'RUNNING', 'CANCELING', 'PENDING', 'CANCELED', 'SUCCEEDED'];

export interface IMark {
  state: RunState | null;
  from: number;
  to: number;
}

/** One mark for each iteration, or for several where there are more than places. */
export function marks(iterations: readonly IIteration[], places: number): IMark[] {
  const count = Math.min(iterations.length, Math.max(1, places));
  return Array.from({ length: count }, (_, at) => {
    const from = Math.floor((at * iterations.length) / count);
    const to = Math.floor(((at + 1) * iterations.length) / count);
    const states = new Set(iterations.slice(from, to).map(each => each.state));
    return { state: WORST.find(state => states.has(state)) ?? iterations[from].state, from, to };
  });
}

/** The first that failed, else that runs, else the first: what somebody looks for in a mark of several. */
export function chosenOf(iterations: readonly IIteration[], mark: IMark): number {
  for (let at = mark.from; at < mark.to; at++) {
    if (iterations[at].state === mark.state) {
      return at;
    }
  }
  return mark.from;
}
