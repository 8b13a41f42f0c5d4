import { addIcon } from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import * as React from 'react';

import type { ISection } from '../kinds';
import { itemFilter } from '../model/filter';
import { keyOf, newestFirst, splitKey } from '../model/merge';
import type { IWork } from '../model/types';
import { useKubeflow, useSignal, useTrans, useWhyNot } from '../ui/context';
import { Button, CopyButton, ErrorLine, Fold, RowList } from '../ui/controls';
import { useEntries } from '../ui/entries';
import { useFound, useSelection } from '../ui/resources';
import type { ISearched } from '../ui/search';
import { useSearch } from '../ui/search';
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
  /** That not even one list could be read, in words. */
  failed: string | null;
  /** That one of them could not, in words: what is listed is not all. */
  partial: string | null;
}

/** The last ones that pass the filter; the same object as long as it says the same. */
function useLast(section: ISection, query: string, searched: ISearched): IFound {
  const { trans } = useKubeflow();
  return useFound(
    section.kinds.map(view => view.kind),
    lists => {
      const own = lists.map((list, at) =>
        list.items.filter(item => !section.kinds[at].isPart?.(item))
      );
      const passed = own.map((items, at) =>
        items.filter(itemFilter<IWork>(query, section.kinds[at], state => stateWord(state, trans)))
      );
      const found = searched.keys ?? newestFirst(section.search ? own : passed).map(keyOf);
      const all = own.reduce((sum, items) => sum + items.length, 0);
      const errors = lists.map(list => list.error);
      return {
        keys: found.slice(0, LAST),
        total: found.length,
        count: query ? all : found.length,
        more: lists.some(list => list.more),
        loaded: lists.some(list => list.loaded),
        failed: errors.every(Boolean) ? (errors[0]?.message ?? null) : null,
        partial: errors.find(Boolean)?.message ?? lists.find(list => list.notice)?.notice ?? null
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
  const searched = useSearch(section, query);
  const found = useLast(section, query, searched);
  const { form, close, create } = useForm(section);
  const noCommand = useWhyNot(section.create.command ?? '');
  const capability = resources.status?.cluster.capabilities?.[section.id];
  const lacking =
    capability && !capability.available
      ? (capability.reason ?? trans.__('This cluster does not have it.'))
      : found.failed;
  const disabled = section.create.command ? noCommand : null;
  const open = memory.isOpen(section.id, section.open ?? false) || form !== null;
  const Form = section.create.form;
  const Below = section.below;
  const unknown = lacking ?? found.partial;
  const empty = found.loaded && !found.count && !unknown;
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
      {found.partial && found.count > 0 && <p className="jk-Where-away">{found.partial}</p>}
      {unknown && !found.count ? (
        <Lacking section={section} reason={unknown} />
      ) : empty ? (
        !form && <Empty section={section} disabled={disabled} onCreate={create} />
      ) : (
        <>
          <Filter section={section} query={query} onQuery={setQuery} problem={searched.problem} />
          <Rows section={section} found={found} query={query} asking={searched.asking} />
          <ShowAll section={section} found={found} query={query} />
        </>
      )}
      {Below && <Below />}
    </Fold>
  );
}

/** Why there is nothing to show; what failed may be tried again. */
function Lacking(props: { section: ISection; reason: string }): JSX.Element {
  const { resources } = useKubeflow();
  const lists = props.section.kinds.map(view => resources.list(view.kind));
  const failed = lists.find(list => list.error);
  return failed ? (
    <ErrorLine
      error={failed.error}
      onRetry={() => lists.forEach(list => void list.refresh().catch(() => undefined))}
    />
  ) : (
    <p className="jk-Quiet">{props.reason}</p>
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
  problem: string | null;
}): JSX.Element {
  const { words } = props.section;
  const id = React.useId();
  return (
    <div className="jk-Filter">
      <input
        type="search"
        aria-invalid={props.problem ? true : undefined}
        aria-describedby={props.problem ? id : undefined}
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
      {props.problem && (
        <p className="jk-FieldError" id={id} role="status">
          {props.problem}
        </p>
      )}
    </div>
  );
}

function Rows(props: {
  section: ISection;
  found: IFound;
  query: string;
  asking: boolean;
}): JSX.Element {
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
    const known = found.loaded && !props.asking;
    return <p className="jk-Quiet">{known ? none : trans.__('Loading…')}</p>;
  }
  return (
    <>
      {chosen.length > 0 && (
        <Selected section={section} chosen={chosen} all={all} onClear={clear} />
      )}
      <RowList label={section.words.items}>
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
      </RowList>
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
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { also } = section.empty;
  const noAlso = useWhyNot(also?.command ?? '');
  return (
    <div className="jk-Empty">
      <p>{section.empty.sentence}</p>
      <div className="jk-Empty-buttons">
        <Button
          label={section.create.first ?? section.create.label}
          kind="primary"
          disabled={props.disabled}
          onClick={() => void props.onCreate()}
        />
        {also && (
          <Button
            label={also.label}
            disabled={noAlso}
            onClick={() => kubeflow.execute(also.command)}
          />
        )}
      </div>
      {props.disabled && <p className="jk-Quiet">{props.disabled}</p>}
      <div className="jk-Code">
        <pre tabIndex={0}>{section.empty.code}</pre>
        <CopyButton text={section.empty.code} label={trans.__('Copy code')} />
      </div>
    </div>
  );
}
