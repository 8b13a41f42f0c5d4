import * as React from 'react';

import type { IRun } from '../model/types';
import { useKubeflow } from './context';

/** The run as it is now; draws again only when this one changes. */
export function useRun(name: string): IRun | undefined {
  const { runs } = useKubeflow().resources;
  const subscribe = React.useCallback(
    (call: () => void) => {
      const subscription = runs.subscribe(name, call);
      return () => subscription.dispose();
    },
    [runs, name]
  );
  return React.useSyncExternalStore(subscribe, () => runs.get(name));
}

export interface ISelection {
  selected: ReadonlySet<string>;
  /** Add or take away; with `range`, everything from the last one on. */
  select: (name: string, range: boolean) => void;
  clear: () => void;
  /** The selected names in the order shown. */
  all: () => readonly string[];
}

export function useSelection(names: readonly string[]): ISelection {
  const [selected, setSelected] = React.useState<ReadonlySet<string>>(new Set());
  const anchor = React.useRef<string | null>(null);
  const order = React.useRef(names);
  order.current = names;
  const current = React.useRef(selected);
  current.current = selected;
  const select = React.useCallback((name: string, range: boolean) => {
    const from = anchor.current ? order.current.indexOf(anchor.current) : -1;
    const to = order.current.indexOf(name);
    setSelected(value => {
      const next = new Set(value);
      if (range && from >= 0 && to >= 0) {
        const between = order.current.slice(Math.min(from, to), Math.max(from, to) + 1);
        between.forEach(each => next.add(each));
      } else if (!next.delete(name)) {
        next.add(name);
      }
      return next;
    });
    anchor.current = name;
  }, []);
  const clear = React.useCallback(() => setSelected(new Set()), []);
  const all = React.useCallback(() => order.current.filter(name => current.current.has(name)), []);
  return React.useMemo(() => ({ selected, select, clear, all }), [selected, select, clear, all]);
}
