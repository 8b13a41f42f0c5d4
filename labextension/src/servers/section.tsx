import { addIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IPart } from '../kinds';
import { useMemory } from '../sidebar/remembered';
import type { IKubeflow } from '../tokens';
import { useKubeflow, useSeen, useSignal, useTrans } from '../ui/context';
import { Button, ErrorLine, Fold, Progress, RowList } from '../ui/controls';
import { Form } from '../ui/form';
import { SERVERS } from './commands';
import type { ServersFeed } from './model/feed';
import { PACE } from './model/feed';
import {
  checkServerName,
  imageWords,
  inOrder,
  matches,
  newForm,
  sizeWords,
  stateWords
} from './model/server';
import type { IQuota, IServersPanel } from './model/types';
import { ServerRow } from './row';

/** So many are listed until somebody wants all. */
const FIRST = 10;

/** The user's servers, as a part of the panel. */
export function serversPart(kubeflow: IKubeflow, feed: ServersFeed): IPart {
  return {
    id: SERVERS,
    rank: 70,
    title: kubeflow.trans.__('Servers'),
    body: () => <Servers feed={feed} />
  };
}

/** Unfolds when a command asks for it, with the form for a new one if it is asked for. */
function useAsked(): { naming: boolean; setNaming: (value: boolean) => void } {
  const { sections } = useKubeflow();
  const memory = useMemory();
  const [naming, setNaming] = React.useState(false);
  React.useEffect(() => {
    const asked = () => {
      const request = sections.takeForm(SERVERS);
      if (request) {
        memory.fold(SERVERS, true);
        setNaming(request.given?.form === true);
      }
    };
    asked();
    sections.formAsked.connect(asked);
    return () => void sections.formAsked.disconnect(asked);
  }, [sections, memory]);
  return { naming, setNaming };
}

function Servers(props: { feed: ServersFeed }): JSX.Element {
  const { feed } = props;
  const trans = useTrans();
  const memory = useMemory();
  useSignal(memory.changed);
  useSignal(feed.changed);
  const { naming, setNaming } = useAsked();
  const open = memory.isOpen(SERVERS, false) || naming;
  const seen = useSeen();
  React.useEffect(() => {
    if (open && seen) {
      const watching = feed.watch(PACE.looking);
      return () => watching.dispose();
    }
    return undefined;
  }, [feed, open, seen]);
  const { panel, error } = feed;
  const running = panel?.servers.filter(({ state }) => state === 'running').length;
  return (
    <Fold
      title={trans.__('Servers')}
      open={open}
      count={running || null}
      onToggle={value => {
        setNaming(false);
        memory.fold(SERVERS, value);
      }}
      actions={
        <Button
          label={trans.__('New server')}
          icon={addIcon}
          iconOnly
          disabled={panel ? null : trans.__('The Hub has not answered yet.')}
          onClick={() => setNaming(true)}
        />
      }
    >
      {naming && panel && <NewServer panel={panel} onDone={() => setNaming(false)} />}
      {error && <ErrorLine error={error} onRetry={() => void feed.refresh()} />}
      {panel ? (
        <div className={error ? 'jk-Servers jk-mod-old' : 'jk-Servers'}>
          <List feed={feed} panel={panel} />
          <Quota lines={panel.left?.quota ?? []} />
          <p className="jk-Servers-home">
            <a className="jk-Link" href={panel.home} target="_blank" rel="noreferrer">
              {trans.__('All servers on the Hub')}
            </a>
          </p>
        </div>
      ) : (
        !error && <p className="jk-Quiet">{trans.__('Loading…')}</p>
      )}
    </Fold>
  );
}

function List(props: { feed: ServersFeed; panel: IServersPanel }): JSX.Element {
  const { feed, panel } = props;
  const trans = useTrans();
  const [query, setQuery] = React.useState('');
  const [all, setAll] = React.useState(false);
  const { left } = panel;
  const found = inOrder(panel.servers).filter(server => {
    const { options } = server;
    const words = [
      stateWords(server, trans),
      sizeWords(options, left, trans),
      imageWords(options, left)
    ];
    return !query || matches(server, query, words.join(' '));
  });
  const shown = all ? found : found.slice(0, FIRST);
  return (
    <>
      {panel.servers.length > FIRST && (
        <div className="jk-Filter">
          <input
            type="search"
            aria-label={trans.__('Filter servers')}
            placeholder={trans.__('Filter: running, a name, a size')}
            value={query}
            dir="auto"
            onChange={event => setQuery(event.target.value)}
            onKeyDown={event => {
              if (event.key === 'Escape' && query) {
                setQuery('');
                event.stopPropagation();
              }
            }}
          />
        </div>
      )}
      {shown.length ? (
        <RowList label={trans.__('Servers')}>
          {shown.map(server => (
            <ServerRow key={server.name} feed={feed} server={server} left={left} />
          ))}
        </RowList>
      ) : (
        <p className="jk-Quiet">{trans.__('No server matches “%1”.', query)}</p>
      )}
      {found.length > FIRST && (
        <div className="jk-ShowAll">
          <button type="button" aria-expanded={all} onClick={() => setAll(!all)}>
            {all ? trans.__('Show fewer') : trans.__('Show all %1', found.length)}
          </button>
        </div>
      )}
    </>
  );
}

/** How full a line may be until it is said with another colour, in percent. */
const TIGHT = 80;

function Quota(props: { lines: readonly IQuota[] }): JSX.Element | null {
  const trans = useTrans();
  const id = React.useId();
  if (!props.lines.length) {
    return null;
  }
  return (
    <div className="jk-Quota">
      <h3 id={id}>{trans.__('Left of your quota')}</h3>
      <ul className="jk-Plain" aria-labelledby={id}>
        {props.lines.map(({ name, left, hard, share }) => {
          const used = Number(share) || 0;
          const tone = used >= 100 ? 'bad' : used >= TIGHT ? 'wait' : 'run';
          return (
            <li key={name}>
              <span className="jk-Ellipsis" dir="auto" title={name}>
                {name}
              </span>
              <span className="jk-Number">{trans.__('%1 of %2', left, hard)}</span>
              <Progress
                value={used / 100}
                label={trans.__('%1: %2 % in use', name, used)}
                tone={tone}
              />
            </li>
          );
        })}
      </ul>
    </div>
  );
}

/** Everything but its name is asked on the Hub's page. */
function NewServer(props: { panel: IServersPanel; onDone: () => void }): JSX.Element {
  const trans = useTrans();
  const { servers } = props.panel;
  const [name, setName] = React.useState('');
  const taken = servers.map(server => server.name);
  const problem = checkServerName(name, taken, trans);
  const page = newForm(servers, name.trim());
  return (
    <Form
      label={trans.__('New server')}
      fields={[
        {
          name: 'name',
          label: trans.__('Name'),
          kind: 'text',
          placeholder: 'gpu',
          help: trans.__('What it gets is chosen on the Hub’s page, in a tab of its own.')
        }
      ]}
      values={{ name }}
      onChange={(_, value) => setName(String(value))}
      problems={name && problem ? { name: problem } : {}}
      submit={trans.__('Choose what it gets')}
      disabled={problem ?? (page ? null : trans.__('The Hub has no page for it.'))}
      onSubmit={() => {
        window.open(page ?? '', '_blank', 'noreferrer');
        props.onDone();
        return Promise.resolve();
      }}
      onCancel={props.onDone}
    />
  );
}
