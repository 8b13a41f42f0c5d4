import * as React from 'react';

import { LogBuffer } from '../model/logbuffer';
import { useKubeflow, useTrans } from './context';
import { Button } from './controls';
import { saveText } from './save';
import { useWindow } from './virtual';

const LINE = 18;
/** Lines asked for at first; the rest follows as it is written. */
const TAIL = 20_000;
const RETRY = 2_000;

type Stream = 'connecting' | 'following' | 'ended' | 'lost';

interface ILog {
  buffer: LogBuffer;
  /** Counts up with every frame of new text. */
  version: number;
  stream: Stream;
  error: string | null;
}

export interface ILogSource {
  /** The resource: `runs/tour-x7k2p`. */
  path: string;
  /** What of it: `{ step: 'train' }`, `{ part: 'rank-0' }`. */
  query?: Record<string, string>;
  /** Another attempt is another log. */
  attempt?: number;
  /** The name of the downloaded file, without its ending. */
  file: string;
}

/** Whose log is shown, where several write one. */
export function PartSelect(props: {
  part: string;
  /** All of them in one, where there is such a log. */
  all?: string;
  parts: readonly (readonly [part: string, label: string])[];
  onPart: (part: string) => void;
}): JSX.Element {
  const trans = useTrans();
  return (
    <select
      className="jk-Select"
      aria-label={trans.__('Whose log')}
      value={props.part}
      onChange={event => props.onPart(event.target.value)}
    >
      {props.all && <option value="">{props.all}</option>}
      {props.parts.map(([part, label]) => (
        <option key={part} value={part}>
          {label}
        </option>
      ))}
    </select>
  );
}

function addressOf(source: ILogSource, verb: string, lines: number): string {
  return `${source.path}/${verb}?${new URLSearchParams({ lines: String(lines), ...source.query })}`;
}

/** Follow a log. Text that comes in one frame is drawn once, however many pieces it has. */
function useLog(source: ILogSource): ILog {
  const kubeflow = useKubeflow();
  const { attempt = 0 } = source;
  const address = addressOf(source, 'logs', TAIL);
  // Another log is another buffer, so that no line of the old one is ever shown under the new name.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const buffer = React.useMemo(() => new LogBuffer(), [address, attempt]);
  const [state, setState] = React.useState({
    version: 0,
    stream: 'connecting' as Stream,
    error: ''
  });
  React.useEffect(() => {
    let socket: WebSocket | null = null;
    let timer = 0;
    let frame = 0;
    let done = false;
    const draw = () => {
      frame ||= window.setTimeout(() => {
        frame = 0;
        setState(old => ({ ...old, version: old.version + 1 }));
      }, 60);
    };
    const say = (stream: Stream, error = '') =>
      setState(old => ({ version: old.version + 1, stream, error }));
    const connect = () => {
      socket = kubeflow.socket(address);
      socket.onopen = () => {
        buffer.clear();
        say('following');
      };
      socket.onmessage = message => {
        const data = JSON.parse(String(message.data)) as {
          text?: string;
          end?: boolean;
          error?: { message: string };
        };
        if (data.text) {
          buffer.append(data.text);
          draw();
        }
        if (data.end || data.error) {
          done = true;
          say('ended', data.error?.message);
        }
      };
      socket.onclose = () => {
        if (!done) {
          say('lost');
          timer = window.setTimeout(connect, RETRY);
        }
      };
    };
    setState({ version: 0, stream: 'connecting', error: '' });
    connect();
    return () => {
      done = true;
      window.clearTimeout(timer);
      window.clearTimeout(frame);
      socket?.close();
    };
  }, [kubeflow, buffer, address, attempt]);
  return { buffer, ...state };
}

/** A log as it is written: follow, search, jump to the error, save. Only lines in sight are drawn. */
export function Log(props: { source: ILogSource; children?: React.ReactNode }): JSX.Element {
  const { source } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const log = useLog(source);
  const { buffer, version } = log;
  const scroller = React.useRef<HTMLDivElement>(null);
  const [sticks, setSticks] = React.useState(true);
  const [query, setQuery] = React.useState('');
  const [at, setAt] = React.useState<number | null>(null);
  const hits = React.useMemo(
    () => buffer.search(query),
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [buffer, version, query]
  );
  React.useLayoutEffect(() => {
    const node = scroller.current;
    if (node && sticks) {
      node.scrollTop = node.scrollHeight;
    }
  }, [version, sticks]);
  const show = (line: number) => {
    setSticks(false);
    setAt(line);
    const node = scroller.current;
    if (node) {
      node.scrollTop = Math.max(0, line * LINE - node.clientHeight / 3);
    }
  };
  const next = (by: number) => {
    if (hits.length) {
      const found = hits.findIndex(line => line > (at ?? -1));
      const index = by > 0 ? found : hits.findIndex(line => line >= (at ?? Infinity)) - 1;
      show(hits[(index + hits.length) % hits.length] ?? hits[hits.length - 1]);
    }
  };
  const error = buffer.lastError();
  return (
    <div className="jk-Log">
      <div className="jk-Log-bar" role="toolbar" aria-label={trans.__('Log tools')}>
        {props.children}
        <Search query={query} onQuery={setQuery} hits={hits} at={at} onNext={next} />
        <Button
          label={trans.__('Jump to error')}
          disabled={error < 0 ? trans.__('The log mentions no error.') : null}
          onClick={() => show(error)}
        />
        <Button
          label={trans.__('Follow')}
          pressed={sticks}
          title={trans.__('Stay at the end')}
          onClick={() => setSticks(!sticks)}
        />
        <Button label={trans.__('Download')} onClick={() => save(kubeflow, source)} />
        <StreamNote log={log} />
      </div>
      <Lines
        log={log}
        scroller={scroller}
        query={query}
        at={at}
        onScrolled={end => setSticks(end)}
      />
    </div>
  );
}

async function save(kubeflow: ReturnType<typeof useKubeflow>, source: ILogSource): Promise<void> {
  try {
    const { text } = await kubeflow.request<{ text: string }>(
      addressOf(source, 'logs:tail', 100_000)
    );
    saveText(text, `${source.file}.log`);
  } catch (error) {
    kubeflow.fail(kubeflow.trans.__('Downloading the log'), error);
  }
}

function Search(props: {
  query: string;
  onQuery: (query: string) => void;
  hits: number[];
  at: number | null;
  onNext: (by: number) => void;
}): JSX.Element {
  const trans = useTrans();
  const { hits } = props;
  const index = props.at === null ? -1 : hits.indexOf(props.at);
  return (
    <span className="jk-Log-search">
      <input
        type="search"
        aria-label={trans.__('Search log')}
        placeholder={trans.__('Search')}
        value={props.query}
        onChange={event => props.onQuery(event.target.value)}
        onKeyDown={event => {
          if (event.key === 'Enter') {
            props.onNext(event.shiftKey ? -1 : 1);
            event.preventDefault();
          }
        }}
      />
      {props.query && (
        <span className="jk-Muted" role="status">
          {hits.length
            ? index >= 0
              ? trans.__('%1 of %2', index + 1, hits.length)
              : trans._n('%1 hit', '%1 hits', hits.length)
            : trans.__('not found')}
        </span>
      )}
    </span>
  );
}

function StreamNote(props: { log: ILog }): JSX.Element {
  const trans = useTrans();
  const { stream, error } = props.log;
  const words: Record<Stream, string> = {
    connecting: trans.__('Connecting…'),
    following: trans.__('Live'),
    ended: trans.__('Complete'),
    lost: trans.__('Connection lost, trying again')
  };
  return (
    <span className={`jk-Log-stream jk-mod-${stream}`} role="status">
      {error || words[stream]}
    </span>
  );
}

function Lines(props: {
  log: ILog;
  scroller: React.RefObject<HTMLDivElement>;
  query: string;
  at: number | null;
  onScrolled: (atEnd: boolean) => void;
}): JSX.Element {
  const trans = useTrans();
  const { buffer, stream } = props.log;
  const { from, to } = useWindow(props.scroller, buffer.count, LINE, 30);
  const rows: JSX.Element[] = [];
  for (let i = from; i < to; i++) {
    rows.push(<Line key={i} index={i} buffer={buffer} query={props.query} here={i === props.at} />);
  }
  const user = React.useRef(0);
  return (
    <div
      className="jk-Log-scroller"
      ref={props.scroller}
      role="log"
      aria-label={trans.__('Log')}
      aria-live="off"
      tabIndex={0}
      onWheel={() => (user.current = Date.now())}
      onPointerDown={() => (user.current = Date.now())}
      onKeyDown={() => (user.current = Date.now())}
      onScroll={event => {
        // Growing text scrolls too; only a person's scroll changes whether the view sticks.
        if (Date.now() - user.current < 1000) {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          props.onScrolled(scrollHeight - scrollTop - clientHeight < LINE * 1.5);
        }
      }}
    >
      {buffer.dropped > 0 && (
        <p className="jk-Log-dropped">
          {trans.__('%1 earlier lines are not shown; the download has them.', buffer.dropped)}
        </p>
      )}
      {buffer.count ? (
        <div className="jk-Log-lines" style={{ height: buffer.count * LINE }}>
          {rows}
        </div>
      ) : (
        <p className="jk-Quiet">
          {stream === 'connecting' ? trans.__('Loading…') : trans.__('Nothing was written yet.')}
        </p>
      )}
    </div>
  );
}

function Line(props: {
  index: number;
  buffer: LogBuffer;
  query: string;
  here: boolean;
}): JSX.Element {
  const { index, buffer, query } = props;
  const text = buffer.line(index);
  const classes = ['jk-Log-line'];
  if (buffer.isError(index)) {
    classes.push('jk-mod-error');
  }
  if (props.here) {
    classes.push('jk-mod-here');
  }
  return (
    <div className={classes.join(' ')} style={{ top: index * LINE, height: LINE }}>
      <span className="jk-Log-number" aria-hidden="true">
        {buffer.dropped + index + 1}
      </span>
      <span className="jk-Log-text">{query ? marked(text, query) : text}</span>
    </div>
  );
}

function marked(text: string, query: string): React.ReactNode {
  const low = text.toLocaleLowerCase();
  const wanted = query.toLocaleLowerCase();
  const parts: React.ReactNode[] = [];
  let from = 0;
  for (let at = low.indexOf(wanted); at >= 0; at = low.indexOf(wanted, from)) {
    parts.push(text.slice(from, at), <mark key={at}>{text.slice(at, at + wanted.length)}</mark>);
    from = at + wanted.length;
  }
  parts.push(text.slice(from));
  return parts;
}
