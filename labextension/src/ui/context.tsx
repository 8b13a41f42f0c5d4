import type { TranslationBundle } from '@jupyterlab/translation';
import type { ISignal } from '@lumino/signaling';
import * as React from 'react';

import type { IKubeflow } from '../tokens';

const Context = React.createContext<IKubeflow | null>(null);

/** Gives every view below it the shared services; views take nothing else from outside. */
export function KubeflowProvider(props: {
  value: IKubeflow;
  children?: React.ReactNode;
}): JSX.Element {
  return <Context.Provider value={props.value}>{props.children}</Context.Provider>;
}

export function useKubeflow(): IKubeflow {
  const value = React.useContext(Context);
  if (!value) {
    throw new Error('A view was drawn outside KubeflowProvider');
  }
  return value;
}

const Seen = React.createContext(true);

/** Tells views whether the widget around them is shown. */
export const SeenProvider = Seen.Provider;

function onHidden(call: () => void): () => void {
  document.addEventListener('visibilitychange', call);
  return () => document.removeEventListener('visibilitychange', call);
}

/** Whether somebody can see this view: what is hidden asks for nothing. */
export function useSeen(): boolean {
  const shown = React.useContext(Seen);
  const hidden = React.useSyncExternalStore(onHidden, () => document.hidden);
  return shown && !hidden;
}

export function useTrans(): TranslationBundle {
  return useKubeflow().trans;
}

/** Draw again whenever the signal is emitted; returns a count that changes with it. */
export function useSignal<S, A>(signal: ISignal<S, A> | null | undefined): number {
  const [count, setCount] = React.useState(0);
  React.useEffect(() => {
    if (!signal) {
      return;
    }
    const slot = () => setCount(value => value + 1);
    signal.connect(slot);
    // What was said between drawing and connecting was not heard.
    slot();
    return () => {
      signal.disconnect(slot);
    };
  }, [signal]);
  return count;
}

/** Why a command cannot be used now, kept true; null if it can. */
export function useWhyNot(command: string): string | null {
  const kubeflow = useKubeflow();
  const subscribe = React.useCallback(
    (call: () => void) => {
      kubeflow.commandsChanged.connect(call);
      return () => {
        kubeflow.commandsChanged.disconnect(call);
      };
    },
    [kubeflow]
  );
  return React.useSyncExternalStore(subscribe, () => kubeflow.whyNot(command));
}

const tickers = new Set<() => void>();
let timer: number | undefined;

function tick(): void {
  if (!document.hidden) {
    tickers.forEach(call => call());
  }
}

/** The time, moving once a second while somebody looks. One timer serves all views. */
export function useNow(active = true): number {
  const [now, setNow] = React.useState(() => Date.now());
  React.useEffect(() => {
    if (!active) {
      return;
    }
    const call = () => setNow(Date.now());
    call();
    tickers.add(call);
    timer ??= window.setInterval(tick, 1000);
    return () => {
      tickers.delete(call);
      if (!tickers.size) {
        window.clearInterval(timer);
        timer = undefined;
      }
    };
  }, [active]);
  return now;
}

/** The result of a request that starts over when `key` changes; an old answer never replaces a new one. */
export function useFetched<T>(
  key: string | null,
  load: (signal: AbortSignal) => Promise<T>
): { value: T | null; error: unknown; loading: boolean; reload: () => void } {
  const [state, setState] = React.useState<{
    key: string | null;
    value: T | null;
    error: unknown;
  }>({ key: null, value: null, error: null });
  const [round, setRound] = React.useState(0);
  const loader = React.useRef(load);
  loader.current = load;
  React.useEffect(() => {
    if (key === null) {
      return;
    }
    const abort = new AbortController();
    loader.current(abort.signal).then(
      value => !abort.signal.aborted && setState({ key, value, error: null }),
      error => !abort.signal.aborted && setState({ key, value: null, error })
    );
    return () => abort.abort();
  }, [key, round]);
  const reload = React.useCallback(() => setRound(value => value + 1), []);
  const fresh = state.key === key;
  return {
    value: fresh ? state.value : null,
    error: fresh ? state.error : null,
    loading: key !== null && !fresh,
    reload
  };
}
