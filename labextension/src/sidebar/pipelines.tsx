import { addIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { runFilter } from '../model/filter';
import type { IRun } from '../model/types';
import { CommandIDs } from '../tokens';
import { useKubeflow, useSignal, useTrans, useWhyNot } from '../ui/context';
import { Button, CopyButton, ErrorLine, Fold, onListKeys } from '../ui/controls';
import { useSelection } from '../ui/runs';
import { stateWord } from '../ui/state';
import type { Memory } from './memory';
import { RunRow } from './row';
import { Schedules } from './schedules';

const LAST = 10;
const EXAMPLE = 'import jupyter_ext as kf\n\nrun = kf.pipelines.run("notebook.ipynb")';

/** Names that pass the filter; the same array as long as they are the same. */
function useFiltered(query: string): { names: readonly string[]; total: number; more: boolean } {
  const { resources, trans } = useKubeflow();
  const { runs } = resources;
  const last = React.useRef({ names: [] as readonly string[], total: 0, more: false });
  const subscribe = React.useCallback(
    (call: () => void) => {
      runs.changed.connect(call);
      return () => {
        runs.changed.disconnect(call);
      };
    },
    [runs]
  );
  return React.useSyncExternalStore(subscribe, () => {
    const pass = runFilter(query, state => stateWord(state, trans));
    const found = runs.items.filter((run: IRun) => pass(run));
    const names = found.slice(0, LAST).map(run => run.metadata.name);
    const total = query ? found.length : runs.items.length;
    const next = { names, total, more: runs.more };
    if (JSON.stringify(next) !== JSON.stringify(last.current)) {
      last.current = next;
    }
    return last.current;
  });
}

export function Pipelines(props: { memory: Memory }): JSX.Element {
  const { memory } = props;
  const kubeflow = useKubeflow();
  const { trans, resources } = kubeflow;
  useSignal(memory.changed);
  const whyNotRun = useWhyNot(CommandIDs.runCurrent);
  const [query, setQuery] = React.useState('');
  const { names, total, more } = useFiltered(query);
  const open = memory.isOpen('pipelines', true);
  const empty = resources.runs.loaded && !resources.runs.items.length;
  return (
    <Fold
      title={trans.__('Pipelines')}
      open={open}
      onToggle={value => memory.fold('pipelines', value)}
      count={
        resources.runs.items.length ? `${resources.runs.items.length}${more ? '+' : ''}` : null
      }
      actions={
        <Button
          label={trans.__('Run this notebook as a pipeline')}
          icon={addIcon}
          iconOnly
          disabled={whyNotRun}
          onClick={() => kubeflow.execute(CommandIDs.runCurrent)}
        />
      }
    >
      {empty ? (
        <Empty />
      ) : (
        <>
          <Filter query={query} onQuery={setQuery} />
          <Rows names={names} query={query} />
          <div className="jk-ShowAll">
            <button type="button" onClick={() => void kubeflow.openRuns(query || undefined)}>
              {query && total > names.length
                ? trans.__('Show all %1', `${total}${more ? '+' : ''}`)
                : trans.__('Show all')}
            </button>
          </div>
        </>
      )}
      <Schedules memory={memory} />
    </Fold>
  );
}

function Filter(props: { query: string; onQuery: (query: string) => void }): JSX.Element {
  const trans = useTrans();
  return (
    <div className="jk-Filter">
      <input
        type="search"
        aria-label={trans.__('Filter runs')}
        placeholder={trans.__('Filter: failed, a name, lr=0.1')}
        value={props.query}
        dir="auto"
        onChange={event => props.onQuery(event.target.value)}
        onKeyDown={event => {
          if (event.key === 'Escape' && props.query) {
            props.onQuery('');
            event.stopPropagation();
          }
        }}
      />
    </div>
  );
}

function Rows(props: { names: readonly string[]; query: string }): JSX.Element {
  const { names } = props;
  const kubeflow = useKubeflow();
  const { trans, resources } = kubeflow;
  const { selected, select, clear, all } = useSelection(names);
  const chosen = names.filter(name => selected.has(name));
  if (!names.length) {
    if (resources.runs.error && !resources.runs.items.length) {
      return <ErrorLine error={resources.runs.error} />;
    }
    return (
      <p className="jk-Quiet">
        {resources.runs.loaded
          ? trans.__('No run matches “%1”.', props.query)
          : trans.__('Loading…')}
      </p>
    );
  }
  return (
    <>
      {chosen.length > 0 && (
        <div className="jk-Selection" role="toolbar" aria-label={trans.__('Selected runs')}>
          <span>{trans.__('%1 selected', chosen.length)}</span>
          <Button
            label={trans.__('Compare')}
            kind="primary"
            disabled={chosen.length < 2 ? trans.__('Select at least two runs.') : null}
            onClick={() => kubeflow.openCompare(all())}
          />
          <Button label={trans.__('Clear')} onClick={clear} />
        </div>
      )}
      <ul className="jk-List" aria-label={trans.__('Runs')} onKeyDown={onListKeys}>
        {names.map(name => (
          <RunRow
            key={name}
            name={name}
            selected={selected.has(name)}
            selecting={chosen.length > 0}
            onSelect={select}
            selection={all}
          />
        ))}
      </ul>
    </>
  );
}

function Empty(): JSX.Element {
  const kubeflow = useKubeflow();
  const whyNotRun = useWhyNot(CommandIDs.runCurrent);
  const { trans } = kubeflow;
  return (
    <div className="jk-Empty">
      <p>
        {trans.__(
          'No runs yet. Any notebook runs as a pipeline: each heading starts a step, and steps that do not need each other run side by side.'
        )}
      </p>
      <Button
        label={trans.__('Run this notebook')}
        kind="primary"
        disabled={whyNotRun}
        onClick={() => kubeflow.execute(CommandIDs.runCurrent)}
      />
      <div className="jk-Code">
        <pre tabIndex={0}>{EXAMPLE}</pre>
        <CopyButton text={EXAMPLE} label={trans.__('Copy code')} />
      </div>
    </div>
  );
}
