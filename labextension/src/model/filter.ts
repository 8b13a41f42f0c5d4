import { runTitle } from './actions';
import { isActive, knownState, STATE_WORDS } from './states';
import type { IRun, IWork, RunState } from './types';

/** What a filter looks at. */
export interface ISearched<T extends IWork> {
  title(item: T): string;
  words?(item: T): string;
  value?(item: T, name: string): unknown;
}

type StateWord = (state: RunState) => string;

/**
 * Words that must all be found. A word that names a state (in English, in the page's language, or as the
 * server calls it) filters by state; `name=value` by a parameter; everything else by text.
 */
export function itemFilter<T extends IWork>(
  query: string,
  searched: ISearched<T>,
  stateWord: StateWord = state => STATE_WORDS[state]
): (item: T) => boolean {
  const words = query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) {
    return () => true;
  }
  const tests = words.map(word => test(word, searched, stateWord));
  return item => tests.every(call => call(item));
}

function test<T extends IWork>(
  word: string,
  searched: ISearched<T>,
  stateWord: StateWord
): (item: T) => boolean {
  const states = (Object.keys(STATE_WORDS) as RunState[]).filter(state =>
    [state, STATE_WORDS[state], stateWord(state)].some(name => name.toLocaleLowerCase() === word)
  );
  if (states.length) {
    return item => states.includes(knownState(item.status.phase));
  }
  if (word === 'active') {
    return item => isActive(item.status.phase);
  }
  const [name, wanted] = word.split('=', 2);
  if (wanted !== undefined) {
    return item => {
      const found = searched.value?.(item, name);
      return found !== undefined && text(found).toLocaleLowerCase().startsWith(wanted);
    };
  }
  return item => haystack(item, searched).includes(word);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const cache = new WeakMap<IWork, string>();

function haystack<T extends IWork>(item: T, searched: ISearched<T>): string {
  let found = cache.get(item);
  if (found === undefined) {
    const parts = [item.metadata.name, searched.title(item), searched.words?.(item)];
    found = parts.join(' ').toLocaleLowerCase();
    cache.set(item, found);
  }
  return found;
}

/** Look a name up whatever its case. */
export function lookup(values: Record<string, unknown> | undefined, name: string): unknown {
  return Object.entries(values ?? {}).find(([key]) => key.toLocaleLowerCase() === name)?.[1];
}

/** Where a run is searched. */
export const RUNS: ISearched<IRun> = {
  title: runTitle,
  words: run =>
    [
      run.spec.pipeline?.name,
      run.spec.pipeline?.path,
      run.spec.trigger,
      ...Object.keys(run.spec.parameters ?? {})
    ].join(' '),
  value: (run, name) => lookup(run.spec.parameters, name)
};

type Key = string | number | null | undefined;

/** A stable order; what lacks the value comes last either way. */
export function sortItems<T>(items: readonly T[], key: (item: T) => Key, descending: boolean): T[] {
  const sign = descending ? -1 : 1;
  const missing = (value: Key) => value === null || value === undefined;
  return [...items].sort((left, right) => {
    const [a, b] = [key(left), key(right)];
    if (missing(a) || missing(b)) {
      return Number(missing(a)) - Number(missing(b));
    }
    return a! < b! ? -sign : a! > b! ? sign : 0;
  });
}

/** Names of metrics, the most frequent first. */
export function metricNames(metrics: readonly Record<string, number>[]): string[] {
  const counts = new Map<string, number>();
  for (const each of metrics) {
    for (const name of Object.keys(each)) {
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
}
