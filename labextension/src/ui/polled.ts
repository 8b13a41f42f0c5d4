import * as React from 'react';

import { useSeen } from './context';

export interface ILatest<T> {
  readonly value: T | null;
  readonly error: unknown;
  readonly reload: () => void;
}

/**
 * What was read last, kept while the next answer is on its way; read again so often while somebody looks (0: only
 * when the key changes). An old answer never replaces a new one.
 */
export function usePolled<T>(
  key: string,
  milliseconds: number,
  load: (signal: AbortSignal) => Promise<T>
): ILatest<T> {
  const seen = useSeen();
  const [state, setState] = React.useState<{ value: T | null; error: unknown }>({
    value: null,
    error: null
  });
  const [round, setRound] = React.useState(0);
  const loader = React.useRef(load);
  loader.current = load;
  React.useEffect(() => {
    if (!seen) {
      return undefined;
    }
    const abort = new AbortController();
    let timer = 0;
    const read = () =>
      loader
        .current(abort.signal)
        .then(
          value => !abort.signal.aborted && setState({ value, error: null }),
          error => !abort.signal.aborted && setState(old => ({ value: old.value, error }))
        )
        .finally(() => {
          if (milliseconds && !abort.signal.aborted) {
            timer = window.setTimeout(() => void read(), milliseconds);
          }
        });
    void read();
    return () => {
      abort.abort();
      window.clearTimeout(timer);
    };
  }, [key, milliseconds, round, seen]);
  const reload = React.useCallback(() => setRound(value => value + 1), []);
  return { ...state, reload };
}

/** The value as it was so long ago that typing has paused. */
export function usePaused<T>(value: T, milliseconds: number): T {
  const [shown, setShown] = React.useState(value);
  React.useEffect(() => {
    const timer = window.setTimeout(() => setShown(value), milliseconds);
    return () => window.clearTimeout(timer);
  }, [value, milliseconds]);
  return shown;
}

/** The value, but taken over at most every so many milliseconds; the last one always comes. */
export function useThrottled<T>(value: T, milliseconds: number): T {
  const [shown, setShown] = React.useState(value);
  const last = React.useRef(0);
  React.useEffect(() => {
    const wait = Math.max(0, last.current + milliseconds - Date.now());
    const timer = window.setTimeout(() => {
      last.current = Date.now();
      setShown(value);
    }, wait);
    return () => window.clearTimeout(timer);
  }, [value, milliseconds]);
  return shown;
}
