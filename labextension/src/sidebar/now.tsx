import * as React from 'react';

import { isSettled } from '../kinds';
import { goingOn, newestFirst } from '../model/merge';
import { useKubeflow, useSignal, useTrans } from '../ui/context';
import { RowList } from '../ui/controls';
import { useEntries } from '../ui/entries';
import { useFound } from '../ui/resources';
import type { Memory } from './memory';
import { NowRow } from './row';

/** Keys only, the same array while they are the same: a change of state draws a row, not the list. */
function useGoingOn(memory: Memory): readonly string[] {
  const { sections } = useKubeflow();
  useSignal(sections.changed);
  useSignal(memory.changed);
  const views = sections.all.flatMap(section => section.kinds);
  return useFound(
    views.map(view => view.kind),
    lists => {
      const items = lists.map((list, at) => {
        const view = views[at];
        return list.items.filter(item => !view.isPart?.(item) && !isSettled(view, item));
      });
      return goingOn(newestFirst(items), key => memory.hasSeen(key), Date.now());
    }
  );
}

/** Everything that runs or waits, of every kind, and what failed and nobody has looked at. */
export function Now(props: { memory: Memory }): JSX.Element {
  const { memory } = props;
  const trans = useTrans();
  const { resources } = useKubeflow();
  useSignal(resources.connectionChanged);
  const keys = useGoingOn(memory);
  const entries = useEntries();
  const dismiss = React.useCallback((key: string) => memory.see(key), [memory]);
  return (
    <section className="jk-Now" aria-label={trans.__('Now')}>
      <h2 className="jk-Now-title">{trans.__('Now')}</h2>
      {keys.length ? (
        <RowList label={trans.__('Running, waiting and failed')}>
          {keys.map(key => (
            <NowRow key={key} id={key} onDismiss={dismiss} entries={entries} />
          ))}
        </RowList>
      ) : (
        <p className="jk-Quiet">
          {resources.runs.loaded ? trans.__('Nothing is running.') : trans.__('Loading…')}
        </p>
      )}
    </section>
  );
}
