import { runTitle } from './actions';
import { isActive, knownState, STATE_WORDS } from './states';
import type { IRun, RunState } from './types';

/**
 * Words that must all be found. A word that names a state (in English, in the page's language, or as the
 * server calls it) filters by state; `name=value` by a parameter; everything else by text.
 */
export function runFilter(
  query: string,
  stateWord: (state: RunState) => string = state => STATE_WORDS[state]
): (run: IRun) => boolean {
  const words = query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) {
    return () => true;
  }
  const tests = words.map(word => test(word, stateWord));
  return run => tests.every(call => call(run));
}

function test(word: string, stateWord: (state: RunState) => string): (run: IRun) => boolean {
  const states = (Object.keys(STATE_WORDS) as RunState[]).filter(state =>
    [state, STATE_WORDS[state], stateWord(state)].some(name => name.toLocaleLowerCase() === word)
  );
  if (states.length) {
    return run => states.includes(knownState(run.status.phase));
  }
  if (word === 'active') {
    return run => isActive(run.status.phase);
  }
  const [name, value] = word.split('=', 2);
  if (value !== undefined) {
    return run =>
      Object.entries(run.spec.parameters ?? {}).some(
        ([key, given]) =>
          key.toLocaleLowerCase() === name && text(given).toLocaleLowerCase().startsWith(value)
      );
  }
  return run => haystack(run).includes(word);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const cache = new WeakMap<IRun, string>();

function haystack(run: IRun): string {
  let found = cache.get(run);
  if (found === undefined) {
    found = [
      run.metadata.name,
      runTitle(run),
      run.spec.pipeline?.name,
      run.spec.pipeline?.path,
      run.spec.trigger,
      ...Object.keys(run.spec.parameters ?? {})
    ]
      .join(' ')
      .toLocaleLowerCase();
    cache.set(run, found);
  }
  return found;
}

export type RunSort = 'created' | 'name' | 'state' | 'seconds' | `metric:${string}`;

/** A stable order; runs that lack the value come last either way. */
export function sortRuns(runs: readonly IRun[], by: RunSort, descending: boolean): IRun[] {
  const key = (run: IRun): string | number | null | undefined => {
    switch (by) {
      case 'created':
        return run.metadata.creationTimestamp;
      case 'name':
        return runTitle(run).toLocaleLowerCase();
      case 'state':
        return run.status.phase;
      case 'seconds':
        return run.status.seconds;
      default:
        return run.status.metrics?.[by.slice('metric:'.length)];
    }
  };
  const sign = descending ? -1 : 1;
  const missing = (value: unknown) => value === null || value === undefined;
  return [...runs].sort((left, right) => {
    const [a, b] = [key(left), key(right)];
    if (missing(a) || missing(b)) {
      return Number(missing(a)) - Number(missing(b));
    }
    return a! < b! ? -sign : a! > b! ? sign : 0;
  });
}

/** Names of metrics, the most frequent first. */
export function metricNames(runs: readonly IRun[]): string[] {
  const counts = new Map<string, number>();
  for (const run of runs) {
    for (const name of Object.keys(run.status.metrics ?? {})) {
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
}
