import * as React from 'react';

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

/** What was loaded last, kept while the next answer is on its way; an old answer never replaces a new one. */
export function useLatest<T>(
  key: string,
  load: (signal: AbortSignal) => Promise<T>
): { value: T | null; error: unknown; reload: () => void } {
  const [state, setState] = React.useState<{ value: T | null; error: unknown }>({
    value: null,
    error: null
  });
  const [round, setRound] = React.useState(0);
  const loader = React.useRef(load);
  loader.current = load;
  React.useEffect(() => {
    const abort = new AbortController();
    loader.current(abort.signal).then(
      value => !abort.signal.aborted && setState({ value, error: null }),
      error => !abort.signal.aborted && setState(old => ({ value: old.value, error }))
    );
    return () => abort.abort();
  }, [key, round]);
  const reload = React.useCallback(() => setRound(value => value + 1), []);
  return { ...state, reload };
}
