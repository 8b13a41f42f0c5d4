import { addIcon } from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import * as React from 'react';

import type { ISection } from '../kinds';
import { itemFilter } from '../model/filter';
import { keyOf, newestFirst, splitKey } from '../model/merge';
import type { IWork } from '../model/types';
import { useKubeflow, useSignal, useTrans, useWhyNot } from '../ui/context';
import { Button, CopyButton, ErrorLine, Fold, onListKeys } from '../ui/controls';
import { useEntries } from '../ui/entries';
import { useFound, useSelection } from '../ui/resources';
import { stateWord } from '../ui/state';
import type { Memory } from './memory';
import { Row } from './row';

const LAST = 10;

interface IFound {
  keys: readonly string[];
  /** How many pass the filter, and how many there are. */
  total: number;
  count: number;
  more: boolean;
  loaded: boolean;
}

/** The last ones that pass the filter; the same object as long as it says the same. */
function useLast(section: ISection, query: string): IFound {
  const { trans } = useKubeflow();
  return useFound(
    section.kinds.map(view => view.kind),
    lists => {
      const passed = lists.map((list, at) => {
        const view = section.kinds[at];
        const pass = itemFilter<IWork>(query, view, state => stateWord(state, trans));
        return list.items.filter(item => !view.isPart?.(item) && pass(item));
      });
      const found = newestFirst(passed);
      const own = (at: number) => (item: IWork) => !section.kinds[at].isPart?.(item);
      const all = lists.reduce((sum, list, at) => sum + list.items.filter(own(at)).length, 0);
      return {
        keys: found.slice(0, LAST).map(keyOf),
        total: found.length,
        count: query ? all : found.length,
        more: lists.some(list => list.more),
        loaded: lists.some(list => list.loaded)
      };
    }
  );
}

function useForm(section: ISection): {
  form: { given?: ReadonlyPartialJSONObject } | null;
  close: () => void;
  create: () => unknown;
} {
  const kubeflow = useKubeflow();
  const [form, setForm] = React.useState<{ given?: ReadonlyPartialJSONObject } | null>(null);
  React.useEffect(() => {
    const asked = () => {
      const request = kubeflow.sections.takeForm(section.id);
      if (request) {
        setForm({ given: request.given });
      }
    };
    asked();
    kubeflow.sections.formAsked.connect(asked);
    return () => void kubeflow.sections.formAsked.disconnect(asked);
  }, [kubeflow, section]);
  const { command, form: component } = section.create;
  return {
    form,
    close: () => setForm(null),
    create: () =>
      component ? setForm({}) : command ? kubeflow.execute(command) : Promise.resolve()
  };
}

/** One capability: the last of what it made, the way to all of it, and the way to the next. */
export function Section(props: { section: ISection; memory: Memory }): JSX.Element {
  const { section, memory } = props;
  const { trans, resources } = useKubeflow();
  useSignal(memory.changed);
  useSignal(resources.connectionChanged);
  const [query, setQuery] = React.useState('');
  const found = useLast(section, query);
  const { form, close, create } = useForm(section);
  const noCommand = useWhyNot(section.create.command ?? '');
  const capability = resources.status?.cluster.capabilities?.[section.id];
  const lacking =
    capability && !capability.available
      ? (capability.reason ?? trans.__('This cluster does not have it.'))
      : null;
  const disabled = section.create.command ? noCommand : null;
  const open = memory.isOpen(section.id, section.open ?? false) || form !== null;
  const Form = section.create.form;
  const Below = section.below;
  const empty = found.loaded && !found.count;
  return (
    <Fold
      title={section.title}
      open={open}
      muted={lacking}
      onToggle={value => {
        close();
        memory.fold(section.id, value);
      }}
      count={found.count ? `${found.count}${found.more ? '+' : ''}` : null}
      actions={
        <Button
          label={section.create.label}
          icon={addIcon}
          iconOnly
          disabled={lacking ?? disabled}
          onClick={() => void create()}
        />
      }
    >
      {form && Form && <Form given={form.given} onDone={close} />}
      {lacking && !found.count ? (
        <p className="jk-Quiet">{lacking}</p>
      ) : empty ? (
        !form && <Empty section={section} disabled={disabled} onCreate={create} />
      ) : (
        <>
          <Filter section={section} query={query} onQuery={setQuery} />
          <Rows section={section} found={found} query={query} />
          <ShowAll section={section} found={found} query={query} />
        </>
      )}
      {Below && <Below />}
    </Fold>
  );
}

function ShowAll(props: { section: ISection; found: IFound; query: string }): JSX.Element {
  const { section, found, query } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const text =
    query && found.total > found.keys.length
      ? trans.__('Show all %1', `${found.total}${found.more ? '+' : ''}`)
      : trans.__('Show all');
  return (
    <div className="jk-ShowAll">
      <button
        type="button"
        aria-label={`${text} (${section.words.items})`}
        onClick={() => void kubeflow.openTable(section.id, query || undefined)}
      >
        {text}
      </button>
    </div>
  );
}

function Filter(props: {
  section: ISection;
  query: string;
  onQuery: (query: string) => void;
}): JSX.Element {
  const { words } = props.section;
  return (
    <div className="jk-Filter">
      <input
        type="search"
        aria-label={words.filter}
        placeholder={words.hint}
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

function Rows(props: { section: ISection; found: IFound; query: string }): JSX.Element {
  const { section, found } = props;
  const { trans, resources } = useKubeflow();
  const { selected, select, clear, all } = useSelection(found.keys);
  const entries = useEntries(section);
  const chosen = found.keys.filter(key => selected.has(key));
  if (!found.keys.length) {
    const failed = section.kinds.map(view => resources.list(view.kind)).find(list => list.error);
    if (failed && !found.count) {
      return <ErrorLine error={failed.error} />;
    }
    const none = section.words.noMatch.replace('%1', props.query);
    return <p className="jk-Quiet">{found.loaded ? none : trans.__('Loading…')}</p>;
  }
  return (
    <>
      {chosen.length > 0 && (
        <Selected section={section} chosen={chosen} all={all} onClear={clear} />
      )}
      <ul className="jk-List" aria-label={section.words.items} onKeyDown={onListKeys}>
        {found.keys.map(key => (
          <Row
            key={key}
            id={key}
            selected={selected.has(key)}
            selecting={chosen.length > 0}
            onSelect={select}
            selection={all}
            entries={entries}
          />
        ))}
      </ul>
    </>
  );
}

function Selected(props: {
  section: ISection;
  chosen: readonly string[];
  all: () => readonly string[];
  onClear: () => void;
}): JSX.Element {
  const { section, chosen } = props;
  const trans = useTrans();
  return (
    <div className="jk-Selection" role="toolbar" aria-label={section.words.selected}>
      <span>{trans.__('%1 selected', chosen.length)}</span>
      {section.compare && (
        <Button
          label={trans.__('Compare')}
          kind="primary"
          disabled={chosen.length < 2 ? trans.__('Select at least two.') : null}
          onClick={() => section.compare?.(props.all().map(key => splitKey(key).name))}
        />
      )}
      <Button label={trans.__('Clear')} onClick={props.onClear} />
    </div>
  );
}

function Empty(props: {
  section: ISection;
  disabled: string | null;
  onCreate: () => unknown;
}): JSX.Element {
  const { section } = props;
  const trans = useTrans();
  return (
    <div className="jk-Empty">
      <p>{section.empty.sentence}</p>
      <Button
        label={section.create.first ?? section.create.label}
        kind="primary"
        disabled={props.disabled}
        onClick={() => void props.onCreate()}
      />
      <div className="jk-Code">
        <pre tabIndex={0}>{section.empty.code}</pre>
        <CopyButton text={section.empty.code} label={trans.__('Copy code')} />
      </div>
    </div>
  );
}
