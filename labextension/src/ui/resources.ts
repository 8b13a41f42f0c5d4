import * as React from 'react';

import type { IListChange, IResourceList } from '../model/resources';
import type { IWork } from '../model/types';
import { useKubeflow } from './context';

/** The resource as it is now; draws again only when this one changes. */
export function useItem<T extends IWork = IWork>(kind: string, name: string): T | undefined {
  const list = useKubeflow().resources.list(kind);
  const subscribe = React.useCallback(
    (call: () => void) => {
      const subscription = list.subscribe(name, call);
      return () => subscription.dispose();
    },
    [list, name]
  );
  return React.useSyncExternalStore(subscribe, () => list.get(name) as T | undefined);
}

/** Something found in the lists of these kinds; the same object as long as it reads the same. */
export function useFound<R>(
  kinds: readonly string[],
  find: (lists: readonly IResourceList<IWork>[]) => R
): R {
  const { resources } = useKubeflow();
  const known = kinds.join();
  const lists = React.useMemo(
    () => known.split(',').map(kind => resources.list(kind)),
    [resources, known]
  );
  const last = React.useRef<{ value: R; text: string } | null>(null);
  const subscribe = React.useCallback(
    (call: () => void) => {
      const slot = (_: unknown, change: IListChange) => void (change && call());
      lists.forEach(list => list.changed.connect(slot));
      return () => lists.forEach(list => list.changed.disconnect(slot));
    },
    [lists]
  );
  return React.useSyncExternalStore(subscribe, () => {
    const value = find(lists);
    const text = JSON.stringify(value);
    if (text !== last.current?.text) {
      last.current = { value, text };
    }
    return last.current.value;
  });
}

export interface ISelection {
  selected: ReadonlySet<string>;
  /** Add or take away; with `range`, everything from the last one on. */
  select: (name: string, range: boolean) => void;
  clear: () => void;
  /** The selected ones in the order shown. */
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
