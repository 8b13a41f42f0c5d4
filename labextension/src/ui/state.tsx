import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { knownState, tone } from '../model/states';
import type { RunState } from '../model/types';
import { useTrans } from './context';

/** Shapes differ, not only colours, so that a state is told without seeing colour. */
const SHAPES: Record<RunState, JSX.Element> = {
  PENDING: (
    <>
      <circle cx="8" cy="8" r="6.25" fill="none" stroke="currentColor" strokeWidth="1.5" />
      <path d="M8 4.5V8l2.4 1.6" fill="none" stroke="currentColor" strokeWidth="1.5" />
    </>
  ),
  RUNNING: (
    <>
      <circle
        cx="8"
        cy="8"
        r="6"
        fill="none"
        stroke="currentColor"
        strokeOpacity=".28"
        strokeWidth="2"
      />
      <path d="M8 2a6 6 0 0 1 6 6" fill="none" stroke="currentColor" strokeWidth="2" />
      <circle cx="8" cy="8" r="2.25" fill="currentColor" />
    </>
  ),
  SUCCEEDED: (
    <path
      fill="currentColor"
      fillRule="evenodd"
      d="M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Zm3.7 4.3a.9.9 0 0 0-1.3 0L7 8.8 5.6 7.3a.9.9 0 1 0-1.3 1.3l2.1 2a.9.9 0 0 0 1.2 0l4.1-4a.9.9 0 0 0 0-1.3Z"
    />
  ),
  FAILED: (
    <path
      fill="currentColor"
      fillRule="evenodd"
      d="M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1ZM5.4 5.4a.8.8 0 0 0 0 1.1L6.9 8 5.4 9.5a.8.8 0 0 0 1.1 1.1L8 9.1l1.5 1.5a.8.8 0 0 0 1.1-1.1L9.1 8l1.5-1.5a.8.8 0 0 0-1.1-1.1L8 6.9 6.5 5.4a.8.8 0 0 0-1.1 0Z"
    />
  ),
  SKIPPED: (
    <>
      <circle cx="8" cy="8" r="6.25" fill="none" stroke="currentColor" strokeWidth="1.5" />
      <path d="M4.5 11.5l7-7" stroke="currentColor" strokeWidth="1.5" />
    </>
  ),
  CANCELING: (
    <>
      <circle
        cx="8"
        cy="8"
        r="6.25"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeDasharray="3 2"
      />
      <rect x="5.5" y="5.5" width="5" height="5" rx=".75" fill="currentColor" />
    </>
  ),
  CANCELED: (
    <>
      <circle cx="8" cy="8" r="6.25" fill="none" stroke="currentColor" strokeWidth="1.5" />
      <rect x="5.5" y="5.5" width="5" height="5" rx=".75" fill="currentColor" />
    </>
  ),
  PAUSED: (
    <>
      <circle cx="8" cy="8" r="6.25" fill="none" stroke="currentColor" strokeWidth="1.5" />
      <path d="M6.4 5.4v5.2M9.6 5.4v5.2" stroke="currentColor" strokeWidth="1.6" />
    </>
  )
};

export function stateWord(state: RunState, trans: TranslationBundle): string {
  switch (state) {
    case 'PENDING':
      return trans.__('Waiting');
    case 'RUNNING':
      return trans.__('Running');
    case 'SUCCEEDED':
      return trans.__('Succeeded');
    case 'SKIPPED':
      return trans.__('Skipped');
    case 'FAILED':
      return trans.__('Failed');
    case 'CANCELING':
      return trans.__('Stopping');
    case 'CANCELED':
      return trans.__('Stopped');
    case 'PAUSED':
      return trans.__('Paused');
  }
}

/** The icon alone: decoration unless it is given a label. */
export function StateIcon(props: {
  state: string | null | undefined;
  label?: string;
  size?: number;
}): JSX.Element {
  const state = knownState(props.state);
  const size = props.size ?? 16;
  return (
    <svg
      className={`jk-StateIcon jk-tone-${tone(state)}`}
      data-state={state}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      role={props.label ? 'img' : undefined}
      aria-label={props.label}
      aria-hidden={props.label ? undefined : true}
      focusable="false"
    >
      {SHAPES[state]}
    </svg>
  );
}

/** Icon, word and colour together. `compact` keeps the word for screen readers and hover only. */
export const StateBadge = React.memo(function StateBadge(props: {
  state: string | null | undefined;
  reason?: string;
  cached?: boolean;
  compact?: boolean;
}): JSX.Element {
  const trans = useTrans();
  const state = knownState(props.state);
  const word = props.cached ? trans.__('From cache') : stateWord(state, trans);
  const title = props.reason ? `${word}: ${props.reason}` : word;
  return (
    <span className={`jk-StateBadge jk-tone-${tone(state)}`} title={title} data-state={state}>
      {props.cached ? <CacheMark /> : <StateIcon state={state} />}
      <span className={props.compact ? 'jk-visuallyHidden' : 'jk-StateBadge-word'}>{word}</span>
    </span>
  );
});

/** The mark of a step whose result was taken from an earlier run. */
export function CacheMark(props: { label?: string; size?: number }): JSX.Element {
  const size = props.size ?? 16;
  return (
    <svg
      className="jk-CacheMark"
      width={size}
      height={size}
      viewBox="0 0 16 16"
      role={props.label ? 'img' : undefined}
      aria-label={props.label}
      aria-hidden={props.label ? undefined : true}
      focusable="false"
    >
      <path
        fill="currentColor"
        d="M9.2 1.2 3 9.1c-.2.3 0 .7.4.7h3.4l-.9 4.8c-.1.5.5.7.8.4L13 7.1c.2-.3 0-.7-.4-.7H9.2l.8-4.8c0-.5-.5-.7-.8-.4Z"
      />
    </svg>
  );
}
