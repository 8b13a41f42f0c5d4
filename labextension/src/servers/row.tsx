import { launchIcon, runIcon, stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { useTrans } from '../ui/context';
import { useKubeflow } from '../ui/context';
import { Button, ErrorLine, InlineConfirm } from '../ui/controls';
import { StateIcon } from '../ui/state';
import { RelativeTime } from '../ui/time';
import { ChangeForm } from './form';
import type { ServersFeed } from './model/feed';
import {
  activityWords,
  canKeep,
  imageWords,
  shapeOf,
  sizeWords,
  startCode,
  stateWords,
  stopQuestion,
  whyNot
} from './model/server';
import type { IFormState, IServer } from './model/types';

interface IRow {
  feed: ServersFeed;
  server: IServer;
  left: IFormState | null;
}

/** What stands below a row: nothing, its facts, the question before it is stopped, or its choices. */
type Below = 'facts' | 'stop' | 'change' | null;

/** One server: what it is, why it waits, and what can be done. */
export function ServerRow(props: IRow): JSX.Element {
  const { feed, server } = props;
  const { name, title, state, words } = server;
  const trans = useTrans();
  const id = React.useId();
  const [below, setBelow] = React.useState<Below>(null);
  const problem = feed.problem(name);
  const close = () => setBelow(null);
  // What was asked for no longer makes sense once it runs, or is gone.
  const shown =
    (below === 'change' && state !== 'stopped') ||
    (below === 'stop' && whyNot('stop', server, trans))
      ? null
      : below;
  const stop = () => (stopQuestion(server, trans) ? setBelow('stop') : feed.stop(name));
  return (
    <li className="jk-RunRow jk-Server" data-server={name} data-state={state}>
      <button
        type="button"
        data-row=""
        className="jk-RowMain"
        aria-expanded={shown === 'facts'}
        aria-controls={id}
        title={title}
        onClick={() => setBelow(shown === 'facts' ? null : 'facts')}
      >
        <Head {...props} />
      </button>
      <RowButtons {...props} onStop={stop} />
      <div id={id} className="jk-Server-below">
        {state === 'starting' && words && (
          <p className="jk-Server-words" role="status" dir="auto">
            {words}
          </p>
        )}
        <Warning feed={feed} server={server} />
        {problem && (
          <>
            <ErrorLine error={problem} />
            <Button label={trans.__('Dismiss')} onClick={() => feed.forget(name)} />
          </>
        )}
        {shown === 'stop' && (
          <InlineConfirm
            question={stopQuestion(server, trans) ?? ''}
            verb={trans.__('Stop')}
            onConfirm={() => {
              close();
              return feed.stop(name);
            }}
            onCancel={close}
          />
        )}
        {shown === 'change' && <ChangeForm feed={feed} server={server} onDone={close} />}
        {shown === 'facts' && (
          <Facts {...props} onStop={stop} onChange={() => setBelow('change')} />
        )}
      </div>
    </li>
  );
}

function Head(props: IRow): JSX.Element {
  const { server, left } = props;
  const trans = useTrans();
  const activity = server.idle?.action === 'keep' ? activityWords(server) : '';
  const note = [stateWords(server, trans), sizeWords(server.options, left, trans)];
  return (
    <>
      <ServerMark server={server} />
      <span className="jk-RowMain-title" dir="auto">
        {server.title}
      </span>
      <span className="jk-RowMain-time">
        {server.isCurrent ? (
          <span className="jk-Server-here">{trans.__('this one')}</span>
        ) : (
          <RelativeTime time={server.state === 'stopped' ? server.lastActivity : server.started} />
        )}
      </span>
      <span className="jk-RowMain-note" dir="auto">
        {note.filter(Boolean).join(' · ')}
      </span>
      {activity && (
        <span className="jk-RowMain-extra jk-Server-activity" dir="auto">
          {activity}
        </span>
      )}
    </>
  );
}

/** One that runs is a full disc: nothing of it goes on, so nothing turns. */
function ServerMark(props: { server: IServer }): JSX.Element {
  const shape = shapeOf(props.server);
  return (
    <span className="jk-RowMark" aria-hidden="true">
      {shape ? (
        <StateIcon state={shape} />
      ) : (
        <svg className="jk-StateIcon jk-tone-good" width="16" height="16" viewBox="0 0 16 16">
          <circle cx="8" cy="8" r="6.25" fill="none" stroke="currentColor" strokeWidth="1.5" />
          <circle cx="8" cy="8" r="3.25" fill="currentColor" />
        </svg>
      )}
    </span>
  );
}

/** What is most wanted, over the time while the row is pointed at or has the focus. */
function RowButtons(props: IRow & { onStop: () => unknown }): JSX.Element {
  const { feed, server } = props;
  const trans = useTrans();
  const can = (action: 'open' | 'start' | 'stop') => !whyNot(action, server, trans);
  return (
    <span className="jk-RowActions">
      {can('open') && (
        <Button
          label={trans.__('Open %1', server.title)}
          icon={launchIcon}
          iconOnly
          onClick={() => void window.open(server.url, '_blank', 'noreferrer')}
        />
      )}
      {can('start') && (
        <Button
          label={trans.__('Start %1', server.title)}
          icon={runIcon}
          iconOnly
          onClick={() => feed.start(server.name)}
        />
      )}
      {can('stop') && (
        <Button
          label={trans.__('Stop %1', server.title)}
          icon={stopIcon}
          iconOnly
          onClick={() => void props.onStop()}
        />
      )}
    </span>
  );
}

function Warning(props: { feed: ServersFeed; server: IServer }): JSX.Element | null {
  const { feed, server } = props;
  const trans = useTrans();
  if (server.state !== 'running' || !server.idle || server.idle.action === 'keep') {
    return null;
  }
  return (
    <div className="jk-Server-warning" role="status">
      <p dir="auto">{server.idle.words}</p>
      {canKeep(server) && (
        <Button label={trans.__('Keep')} kind="primary" onClick={() => feed.keep(server.name)} />
      )}
    </div>
  );
}

function Facts(props: IRow & { onStop: () => unknown; onChange: () => void }): JSX.Element {
  const { feed, server, left } = props;
  const { name, options, state } = server;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const rows: [string, React.ReactNode][] = [
    [trans.__('Gets'), sizeWords(options, left, trans) || '–']
  ];
  const image = imageWords(options, left);
  if (image) {
    rows.push([trans.__('Image'), image]);
  }
  if (typeof options.namespace === 'string' && options.namespace) {
    rows.push([trans.__('Profile'), options.namespace]);
  }
  if (server.started && state !== 'stopped') {
    rows.push([trans.__('Started'), <RelativeTime key="started" time={server.started} />]);
  }
  if (server.lastActivity) {
    rows.push([trans.__('Last used'), <RelativeTime key="used" time={server.lastActivity} />]);
  }
  if (server.idle?.stopsAt && state === 'running') {
    rows.push([trans.__('Stops'), <RelativeTime key="stops" time={server.idle.stopsAt} />]);
  }
  const can = (action: 'open' | 'start' | 'stop') => !whyNot(action, server, trans);
  const startable = state === 'stopped';
  return (
    <div className="jk-Server-facts">
      <dl className="jk-Facts">
        {rows.map(([word, value]) => (
          <React.Fragment key={word}>
            <dt>{word}</dt>
            <dd dir="auto">{value}</dd>
          </React.Fragment>
        ))}
      </dl>
      <div className="jk-Server-buttons">
        {can('open') && (
          <a className="jk-Button" href={server.url} target="_blank" rel="noreferrer">
            {trans.__('Open')}
          </a>
        )}
        {startable && (
          <Button label={trans.__('Start')} kind="primary" onClick={() => feed.start(name)} />
        )}
        {startable && <Button label={trans.__('Change…')} onClick={props.onChange} />}
        {can('stop') && <Button label={trans.__('Stop')} onClick={() => void props.onStop()} />}
        <Button
          label={trans.__('Copy as code')}
          onClick={() => kubeflow.copyCode(startCode(name, options))}
        />
      </div>
    </div>
  );
}
