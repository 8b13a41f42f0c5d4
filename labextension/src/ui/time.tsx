import * as React from 'react';

import { clock, duration, elapsed, exact, millis, relative } from '../format';
import { useNow } from './context';

/** `5 min ago`, the exact time on hover; moves by itself. */
export function RelativeTime(props: {
  time: string | null | undefined;
  className?: string;
}): JSX.Element {
  const now = useNow(Boolean(props.time));
  const at = millis(props.time);
  return (
    <time
      className={props.className ?? 'jk-Time'}
      dateTime={at === null ? undefined : new Date(at).toISOString()}
      title={exact(props.time)}
    >
      {relative(props.time, now)}
    </time>
  );
}

/** How long something took, or has taken so far. */
export function Elapsed(props: {
  start: string | null | undefined;
  end?: string | null;
  seconds?: number | null;
  className?: string;
}): JSX.Element {
  const running = Boolean(props.start) && !props.end;
  const now = useNow(running);
  const seconds = running
    ? elapsed(props.start, null, now)
    : (props.seconds ?? elapsed(props.start, props.end));
  const text = running && seconds !== null ? clock(seconds) : duration(seconds);
  return (
    <span className={props.className ?? 'jk-Elapsed'} title={exact(props.start)}>
      {text}
    </span>
  );
}
