import * as React from 'react';

import type { ISection } from '../kinds';
import { KubeflowError } from '../model/errors';
import { keyOf } from '../model/merge';
import { useKubeflow, useSignal } from './context';

/** After so long without a key the server is asked, in milliseconds. */
const PAUSE = 200;

export interface ISearched {
  /** What was found, best first; null where the section itself looks through what it has. */
  readonly keys: readonly string[] | null;
  readonly more: boolean;
  /** What is wrong with the filter, in words. */
  readonly problem: string | null;
  readonly asking: boolean;
}

const NOTHING: ISearched = { keys: null, more: false, problem: null, asking: false };

/** What a section's own search finds: again after each change of one of its items, and never an old answer. */
export function useSearch(section: ISection, query: string): ISearched {
  const { resources } = useKubeflow();
  const list = resources.list(section.kinds[0].kind);
  const { search } = section;
  const wanted = search && query.trim() ? query : '';
  const round = useSignal(wanted ? list.changed : null);
  const [state, setState] = React.useState<{ query: string; found: ISearched } | null>(null);
  React.useEffect(() => {
    if (!search || !wanted) {
      setState(null);
      return;
    }
    const abort = new AbortController();
    const show = (found: ISearched) => !abort.signal.aborted && setState({ query: wanted, found });
    const timer = window.setTimeout(() => {
      search(wanted, abort.signal).then(
        ({ items, more }) => {
          list.lend(items);
          show({ ...NOTHING, keys: items.map(keyOf), more });
        },
        error => show({ ...NOTHING, keys: [], problem: sentence(error) })
      );
    }, PAUSE);
    return () => {
      window.clearTimeout(timer);
      abort.abort();
    };
  }, [search, wanted, list, round]);
  if (!wanted) {
    return NOTHING;
  }
  // The last answer stays until the next one is there: a list that flickers cannot be read.
  return state
    ? { ...state.found, asking: state.query !== wanted }
    : { ...NOTHING, keys: [], asking: true };
}

function sentence(error: unknown): string {
  const { message, hint } = KubeflowError.from(error);
  return hint && !message.includes(hint) ? `${message} ${hint}` : message;
}
