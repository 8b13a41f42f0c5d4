import * as React from 'react';

import type { IDraft } from '../model/draft';
import { refusal } from '../model/draft';
import type { Json } from '../model/types';
import { useKubeflow } from './context';

/** After so long without a key the server is asked what it thinks, in milliseconds. */
const PAUSE = 300;

/**
 * What the server would make of a form, asked while somebody types; an old answer never replaces a new one.
 * `body` is null while there is nothing to ask; `fallback` is the field that a refusal of no field is shown at.
 */
export function useDraft<T extends IDraft>(
  plural: string,
  body: Readonly<Record<string, Json>> | null,
  fallback = ''
): T | null {
  const kubeflow = useKubeflow();
  const [draft, setDraft] = React.useState<T | null>(null);
  const text = body && JSON.stringify(body);
  React.useEffect(() => {
    if (text === null) {
      setDraft(null);
      return undefined;
    }
    const abort = new AbortController();
    const timer = window.setTimeout(() => {
      kubeflow
        .request<T>(plural, {
          method: 'POST',
          body: { ...(JSON.parse(text) as object), dryRun: true },
          signal: abort.signal
        })
        .catch(error => refusal(error, fallback) as T)
        .then(answer => !abort.signal.aborted && setDraft(answer));
    }, PAUSE);
    return () => {
      window.clearTimeout(timer);
      abort.abort();
    };
  }, [kubeflow, plural, text, fallback]);
  return draft;
}
