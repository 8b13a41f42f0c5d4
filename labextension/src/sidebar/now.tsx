import * as React from 'react';

import { millis } from '../format';
import { isActive } from '../model/states';
import type { IRun } from '../model/types';
import { useKubeflow, useSignal, useTrans } from '../ui/context';
import { onListKeys } from '../ui/controls';
import type { Memory } from './memory';
import { NowRow } from './row';

const DAY = 24 * 3600 * 1000;

/** What runs or waits, and what failed in the last day until somebody looked. */
export function nowNames(
  runs: readonly IRun[],
  seen: (name: string) => boolean,
  now: number
): string[] {
  const active = runs.filter(run => isActive(run.status.phase));
  const failed = runs.filter(run => {
    const ended = millis(run.status.completionTime ?? run.metadata.creationTimestamp) ?? 0;
    return run.status.phase === 'FAILED' && now - ended < DAY && !seen(run.metadata.name);
  });
  return [...active, ...failed].map(run => run.metadata.name);
}

/** Names only, the same array while they are the same: a change of state draws a row, not the list. */
function useNames(memory: Memory): readonly string[] {
  const { runs } = useKubeflow().resources;
  const last = React.useRef<readonly string[]>([]);
  const subscribe = React.useCallback(
    (call: () => void) => {
      runs.changed.connect(call);
      memory.changed.connect(call);
      return () => {
        runs.changed.disconnect(call);
        memory.changed.disconnect(call);
      };
    },
    [runs, memory]
  );
  return React.useSyncExternalStore(subscribe, () => {
    const next = nowNames(runs.items, name => memory.hasSeen(name), Date.now());
    if (next.join() !== last.current.join()) {
      last.current = next;
    }
    return last.current;
  });
}

export function Now(props: { memory: Memory }): JSX.Element {
  const { memory } = props;
  const trans = useTrans();
  const { resources } = useKubeflow();
  useSignal(resources.connectionChanged);
  const names = useNames(memory);
  const dismiss = React.useCallback((name: string) => memory.see(name), [memory]);
  return (
    <section className="jk-Now" aria-label={trans.__('Now')}>
      <h2 className="jk-Now-title">{trans.__('Now')}</h2>
      {names.length ? (
        <ul
          className="jk-List"
          aria-label={trans.__('Running, waiting and failed')}
          onKeyDown={onListKeys}
        >
          {names.map(name => (
            <NowRow key={name} name={name} onDismiss={dismiss} />
          ))}
        </ul>
      ) : (
        <p className="jk-Quiet">
          {resources.runs.loaded ? trans.__('Nothing is running.') : trans.__('Loading…')}
        </p>
      )}
    </section>
  );
}
