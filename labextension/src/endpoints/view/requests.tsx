import * as React from 'react';

import { exact } from '../../format';
import { useKubeflow, useSeen, useSignal } from '../../ui/context';
import { Button, ErrorLine } from '../../ui/controls';
import { useWindow } from '../../ui/virtual';
import { ask } from '../commands';
import { isStopped, variantsOf } from '../model/endpoint';
import { latency } from '../model/interval';
import type { IRequestFilter } from '../model/requests';
import { RequestFeed } from '../model/requests';
import type { IEndpoint, ILogged, IRequestPage } from '../model/types';
import { usePaused } from '../../ui/polled';
import { ReplayBar } from './replay';
import { RequestDetail } from './request';
import type { IPaneProps } from './view';

const ROW = 26;
const BEAT = 2_000;
const PAUSE = 250;

/** The log as long as somebody looks: asked every two seconds, nothing jumps. */
function useRequests(item: IEndpoint): RequestFeed {
  const kubeflow = useKubeflow();
  const seen = useSeen();
  const { uid, name } = item.metadata;
  const feed = React.useMemo(
    () => new RequestFeed({ read: query => ask<IRequestPage>(kubeflow, name, 'requests', query) }),
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [kubeflow, uid, name]
  );
  useSignal(feed.changed);
  const live = !isStopped(item);
  React.useEffect(() => {
    if (!seen) {
      return undefined;
    }
    let timer = 0;
    let over = false;
    const again = () =>
      void feed.poll().then(() => {
        if (!over && live) {
          timer = window.setTimeout(again, BEAT);
        }
      });
    again();
    return () => {
      over = true;
      window.clearTimeout(timer);
    };
  }, [feed, seen, live]);
  return feed;
}

/** What came in and what was answered; one of them in full; some of them again against another variant. */
export function RequestsPane(props: IPaneProps): JSX.Element {
  const { item, place, onPlace } = props;
  const { trans } = useKubeflow();
  const feed = useRequests(item);
  const [selected, setSelected] = React.useState<ReadonlySet<string>>(new Set());
  const select = (id: string) => {
    const next = new Set(selected);
    if (!next.delete(id)) {
      next.add(id);
    }
    setSelected(next);
  };
  if (place.request) {
    return (
      <RequestDetail
        item={item}
        id={place.request}
        onClose={() => onPlace({ request: undefined })}
      />
    );
  }
  return (
    <div className="jk-Requests">
      <Bar item={item} feed={feed} />
      {feed.waiting > 0 && (
        <button type="button" className="jk-Requests-new" onClick={() => void feed.showNew()}>
          {feed.waitingMore
            ? trans.__('Show more than %1 new requests', feed.waiting)
            : trans._n('Show %1 new request', 'Show %1 new requests', feed.waiting)}
        </button>
      )}
      {feed.error && <ErrorLine error={feed.error} onRetry={() => void feed.poll()} />}
      <Grid
        feed={feed}
        selected={selected}
        onSelect={select}
        onOpen={id => onPlace({ request: id })}
      />
      <ReplayBar item={item} ids={[...selected]} onClear={() => setSelected(new Set())} />
    </div>
  );
}

function Bar(props: { item: IEndpoint; feed: RequestFeed }): JSX.Element {
  const { item, feed } = props;
  const { trans } = useKubeflow();
  const [filter, setFilter] = React.useState<IRequestFilter>(feed.filter);
  const paused = usePaused(filter, PAUSE);
  React.useEffect(() => {
    if (paused !== feed.filter) {
      void feed.setFilter(paused);
    }
  }, [feed, paused]);
  const change = (part: Partial<IRequestFilter>) => setFilter(old => ({ ...old, ...part }));
  return (
    <div className="jk-Requests-bar" role="search">
      <select
        className="jk-Select"
        aria-label={trans.__('Answered by')}
        value={filter.variant}
        onChange={event => change({ variant: event.target.value })}
      >
        <option value="">{trans.__('All variants')}</option>
        {variantsOf(item).map(({ name }) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      <Button
        label={trans.__('Failed')}
        pressed={filter.failed}
        onClick={() => change({ failed: !filter.failed })}
      />
      <input
        type="search"
        className="jk-Input"
        dir="auto"
        aria-label={trans.__('Search in requests')}
        placeholder={trans.__('Search in requests')}
        value={filter.search}
        onChange={event => change({ search: event.target.value })}
      />
    </div>
  );
}

function Grid(props: {
  feed: RequestFeed;
  selected: ReadonlySet<string>;
  onSelect: (id: string) => void;
  onOpen: (id: string) => void;
}): JSX.Element {
  const { feed, selected } = props;
  const { trans } = useKubeflow();
  const scroller = React.useRef<HTMLDivElement>(null);
  const { items } = feed;
  const { from, to } = useWindow(scroller, items.length, ROW);
  const last = to >= items.length;
  React.useEffect(() => {
    if (last && feed.more) {
      void feed.loadMore();
    }
  }, [feed, last, items.length]);
  const heads = [trans.__('Time'), trans.__('Variant'), trans.__('Status'), trans.__('Took')];
  return (
    <div
      className="jk-Requests-scroller"
      ref={scroller}
      role="grid"
      aria-label={trans.__('Requests')}
      aria-rowcount={items.length + 1}
      tabIndex={items.length ? -1 : 0}
      onKeyDown={event => onGridKeys(event, scroller)}
    >
      <div className="jk-Requests-row jk-mod-head" role="row" aria-rowindex={1}>
        <span role="columnheader">
          <span className="jk-visuallyHidden">{trans.__('Selected')}</span>
        </span>
        {heads.map(head => (
          <span key={head} role="columnheader">
            {head}
          </span>
        ))}
        <span role="columnheader">{trans.__('Path')}</span>
      </div>
      <div role="rowgroup" className="jk-Requests-body" style={{ height: items.length * ROW }}>
        {items.slice(from, to).map((logged, index) => (
          <Row
            key={logged.id}
            logged={logged}
            index={from + index}
            selected={selected.has(logged.id)}
            onSelect={props.onSelect}
            onOpen={props.onOpen}
          />
        ))}
      </div>
      {!items.length && (
        <p className="jk-Quiet" role="row">
          <span role="gridcell">
            {feed.loaded
              ? feed.filter.failed || feed.filter.search || feed.filter.variant
                ? trans.__('No request is like this.')
                : trans.__('No request was logged yet. Logging is chosen when a model is served.')
              : trans.__('Loading…')}
          </span>
        </p>
      )}
    </div>
  );
}

/** Rows outside of sight are not there: they are scrolled to before they get the focus. */
function onGridKeys(
  event: React.KeyboardEvent<HTMLElement>,
  scroller: React.RefObject<HTMLElement>
): void {
  const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
  const row = (event.target as HTMLElement).closest<HTMLElement>('[data-index]');
  const node = scroller.current;
  if (!by || !row || !node) {
    return;
  }
  const to = Math.max(0, Number(row.dataset.index) + by);
  node.scrollTop = Math.min(Math.max(node.scrollTop, (to + 3) * ROW - node.clientHeight), to * ROW);
  event.preventDefault();
  event.stopPropagation();
  window.requestAnimationFrame(() => {
    const all = [...node.querySelectorAll<HTMLElement>('[data-index]')];
    const found = all.find(each => Number(each.dataset.index) === to) ?? all[all.length - 1];
    found?.querySelector<HTMLElement>('[data-row]')?.focus();
  });
}

function clockText(at: string): string {
  const page = document.documentElement.lang || undefined;
  return new Date(at).toLocaleTimeString(page, { hour12: false });
}

export function millisOf(time: string | number): string {
  return typeof time === 'number' ? new Date(time * 1000).toISOString() : time;
}

const Row = React.memo(function Row(props: {
  logged: ILogged;
  index: number;
  selected: boolean;
  onSelect: (id: string) => void;
  onOpen: (id: string) => void;
}): JSX.Element {
  const { logged, index } = props;
  const { trans } = useKubeflow();
  const { id, status } = logged;
  const at = millisOf(logged.time);
  const failed = status >= 400 || status === 0;
  return (
    <div
      role="row"
      className={props.selected ? 'jk-Requests-row jk-mod-selected' : 'jk-Requests-row'}
      style={{ top: index * ROW, height: ROW }}
      aria-rowindex={index + 2}
      aria-selected={props.selected}
      data-index={index}
      data-request={id}
    >
      <span role="gridcell">
        <input
          type="checkbox"
          checked={props.selected}
          aria-label={trans.__('Select request %1', id)}
          onChange={() => props.onSelect(id)}
        />
      </span>
      <span role="gridcell" title={exact(at)}>
        <button
          type="button"
          className="jk-Link"
          data-row=""
          aria-label={trans.__('Request %1 at %2', id, clockText(at))}
          onClick={() => props.onOpen(id)}
        >
          {clockText(at)}
        </button>
      </span>
      <span role="gridcell" className="jk-Ellipsis" dir="auto">
        {logged.variant}
      </span>
      <span
        role="gridcell"
        className={failed ? 'jk-Number jk-mod-bad' : 'jk-Number'}
        title={logged.error ?? undefined}
      >
        {status || trans.__('lost')}
      </span>
      <span role="gridcell" className="jk-Number">
        {latency(logged.seconds)}
      </span>
      <span role="gridcell" className="jk-Ellipsis" title={logged.error || logged.path}>
        {logged.error || logged.path}
      </span>
    </div>
  );
});
