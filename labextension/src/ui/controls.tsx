import type { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { KubeflowError } from '../model/errors';
import { useKubeflow, useTrans } from './context';
import { useKeptFocus, useOwnFocus } from './focus';

/** A button that says its verb; when it cannot be used it says why on hover and focus. */
export function Button(props: {
  label: string;
  onClick?: () => void | Promise<unknown>;
  icon?: LabIcon;
  /** Draw the icon only; the label is for hover and screen readers. */
  iconOnly?: boolean;
  kind?: 'primary' | 'danger' | 'plain';
  /** Why it cannot be used now; null or empty if it can. */
  disabled?: string | null;
  title?: string;
  pressed?: boolean;
  autoFocus?: boolean;
}): JSX.Element {
  const [busy, setBusy] = React.useState(false);
  const alive = React.useRef(true);
  React.useEffect(() => {
    alive.current = true;
    return () => {
      alive.current = false;
    };
  }, []);
  const off = Boolean(props.disabled) || busy;
  const click = async (event: React.MouseEvent) => {
    event.stopPropagation();
    if (off) {
      return;
    }
    const result = props.onClick?.();
    if (result instanceof Promise) {
      setBusy(true);
      try {
        await result;
      } finally {
        if (alive.current) {
          setBusy(false);
        }
      }
    }
  };
  const classes = ['jk-Button', `jk-mod-${props.kind ?? 'plain'}`];
  if (props.iconOnly) {
    classes.push('jk-mod-icon');
  }
  return (
    <button
      type="button"
      className={classes.join(' ')}
      aria-label={props.iconOnly ? props.label : undefined}
      aria-disabled={off || undefined}
      aria-busy={busy || undefined}
      aria-pressed={props.pressed}
      autoFocus={props.autoFocus}
      title={props.disabled || props.title || (props.iconOnly ? props.label : undefined)}
      onClick={click}
    >
      {props.icon && <props.icon.react tag="span" className="jk-Button-icon" />}
      {!props.iconOnly && <span>{props.label}</span>}
    </button>
  );
}

/** Asks once, in place, naming what goes. */
export function InlineConfirm(props: {
  question: string;
  verb: string;
  onConfirm: () => void | Promise<unknown>;
  onCancel: () => void;
}): JSX.Element {
  const trans = useTrans();
  const frame = useOwnFocus<HTMLDivElement>('button');
  return (
    <div
      ref={frame}
      className="jk-InlineConfirm"
      role="alertdialog"
      aria-label={props.question}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          props.onCancel();
        }
      }}
    >
      <span className="jk-InlineConfirm-question">{props.question}</span>
      <Button label={props.verb} kind="danger" onClick={props.onConfirm} />
      <Button label={trans.__('Keep')} onClick={props.onCancel} />
    </div>
  );
}

/** A failure as one sentence, its hint, and its technical part behind a fold. */
export function ErrorLine(props: { error: unknown; onRetry?: () => void }): JSX.Element {
  const trans = useTrans();
  const error = KubeflowError.from(props.error);
  const hint = error.hint && !error.message.includes(error.hint) ? error.hint : null;
  return (
    <div className="jk-ErrorLine" role="status">
      <p>
        <strong>
          {hint && !/[.!?…]$/.test(error.message) ? `${error.message}.` : error.message}
        </strong>
        {hint && <> {hint}</>}
      </p>
      {props.onRetry && <Button label={trans.__('Try again')} onClick={props.onRetry} />}
      {error.options.details && (
        <details>
          <summary>{trans.__('Details')}</summary>
          <pre>{error.options.details}</pre>
        </details>
      )}
    </div>
  );
}

/** Puts something on the clipboard and says so in its place. */
export function CopyButton(props: { text: string | (() => string); label: string }): JSX.Element {
  const trans = useTrans();
  const { copyText } = useKubeflow();
  const [done, setDone] = React.useState(false);
  React.useEffect(() => {
    if (done) {
      const timer = window.setTimeout(() => setDone(false), 1600);
      return () => window.clearTimeout(timer);
    }
    return undefined;
  }, [done]);
  return (
    <button
      type="button"
      className="jk-CopyButton"
      title={props.label}
      aria-label={done ? trans.__('Copied') : props.label}
      onClick={event => {
        event.stopPropagation();
        copyText(typeof props.text === 'string' ? props.text : props.text());
        setDone(true);
      }}
    >
      <svg width="14" height="14" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
        {done ? (
          <path fill="none" stroke="currentColor" strokeWidth="1.8" d="m3 8.5 3.2 3.2L13 4.600" />
        ) : (
          <path
            fill="none"
            stroke="currentColor"
            strokeWidth="1.3"
            d="M5.500 5.500v-3h8v8h-3m-8-5h8v8h-8z"
          />
        )}
      </svg>
    </button>
  );
}

export interface ITab<K extends string> {
  id: K;
  label: string;
  count?: number;
}

/** Tabs by the book: one tab stop, arrow keys between them. */
export function Tabs<K extends string>(props: {
  label: string;
  tabs: readonly ITab<K>[];
  selected: K;
  onSelect: (id: K) => void;
  /** Prefix of the ids that tie tabs to their panel. */
  id: string;
}): JSX.Element {
  const onKeyDown = (event: React.KeyboardEvent<HTMLDivElement>) => {
    const at = props.tabs.findIndex(tab => tab.id === props.selected);
    const moves: Record<string, number> = {
      ArrowRight: at + 1,
      ArrowLeft: at - 1,
      Home: 0,
      End: props.tabs.length - 1
    };
    if (!(event.key in moves)) {
      return;
    }
    const next = props.tabs[(moves[event.key] + props.tabs.length) % props.tabs.length];
    props.onSelect(next.id);
    event.currentTarget.querySelector<HTMLElement>(`[data-tab="${next.id}"]`)?.focus();
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className="jk-Tabs" role="tablist" aria-label={props.label} onKeyDown={onKeyDown}>
      {props.tabs.map(tab => (
        <button
          type="button"
          key={tab.id}
          id={`${props.id}-${tab.id}`}
          data-tab={tab.id}
          role="tab"
          className="jk-Tab"
          aria-selected={tab.id === props.selected}
          aria-controls={`${props.id}-panel`}
          tabIndex={tab.id === props.selected ? 0 : -1}
          onClick={() => props.onSelect(tab.id)}
        >
          {tab.label}
          {Boolean(tab.count) && <span className="jk-Count">{tab.count}</span>}
        </button>
      ))}
    </div>
  );
}

/** What belongs to the selected one of `Tabs` with the same `id`. `focus`: 0 a tab stop, -1 by script only. */
export function TabPanel(props: {
  id: string;
  tab: string;
  className: string;
  focus?: 0 | -1;
  children: React.ReactNode;
}): JSX.Element {
  return (
    <div
      className={props.className}
      role="tabpanel"
      id={`${props.id}-panel`}
      aria-labelledby={`${props.id}-${props.tab}`}
      tabIndex={props.focus}
    >
      {props.children}
    </div>
  );
}

/** A heading that folds what is under it; the state is kept by whoever owns it. */
export function Fold(props: {
  title: string;
  open: boolean;
  onToggle: (open: boolean) => void;
  count?: number | string | null;
  actions?: React.ReactNode;
  muted?: string | null;
  level?: 2 | 3;
  children?: React.ReactNode;
}): JSX.Element {
  const id = React.useId();
  const Heading = props.level === 3 ? 'h3' : 'h2';
  return (
    <section
      className={`jk-Fold jk-mod-level${props.level ?? 2}${props.muted ? ' jk-mod-muted' : ''}`}
      aria-label={props.title}
      title={props.muted ?? undefined}
    >
      <div className="jk-Fold-head">
        <Heading className="jk-Fold-title">
          <button
            type="button"
            aria-expanded={props.open}
            aria-controls={id}
            onClick={() => props.onToggle(!props.open)}
          >
            <Chevron open={props.open} />
            <span>{props.title}</span>
            {props.count !== undefined && props.count !== null && (
              <span className="jk-Count">{props.count}</span>
            )}
          </button>
        </Heading>
        {props.actions}
      </div>
      <div id={id} hidden={!props.open} className="jk-Fold-body">
        {props.open && props.children}
      </div>
    </section>
  );
}

export function Chevron(props: { open: boolean }): JSX.Element {
  return (
    <svg
      className={props.open ? 'jk-Chevron jk-mod-open' : 'jk-Chevron'}
      width="12"
      height="12"
      viewBox="0 0 12 12"
      aria-hidden="true"
      focusable="false"
    >
      <path d="m4 2.500 3.500 3.500L4 9.500" fill="none" stroke="currentColor" strokeWidth="1.5" />
    </svg>
  );
}

/** How far something is, thin; `null` moves without saying how far. */
export function Progress(props: {
  value: number | null;
  label: string;
  tone?: string;
}): JSX.Element {
  const known = props.value !== null;
  const width = known ? `${Math.round(Math.min(1, Math.max(0, props.value ?? 0)) * 100)}%` : '30%';
  return (
    <div
      className={`jk-Progress jk-tone-${props.tone ?? 'run'}${known ? '' : ' jk-mod-unknown'}`}
      role="progressbar"
      aria-label={props.label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={known ? Math.round((props.value ?? 0) * 100) : undefined}
    >
      <i style={{ width }} />
    </div>
  );
}

/** Arrow keys between the elements that carry `data-row` in a list. */
export function onListKeys(event: React.KeyboardEvent<HTMLElement>): void {
  const keys: Record<string, number> = { ArrowDown: 1, ArrowUp: -1 };
  const at = (event.target as HTMLElement).closest<HTMLElement>('[data-row]');
  if (!at || !(event.key in keys || event.key === 'Home' || event.key === 'End')) {
    return;
  }
  const rows = [...event.currentTarget.querySelectorAll<HTMLElement>('[data-row]')];
  const index = rows.indexOf(at) + (keys[event.key] ?? 0);
  const next = event.key === 'Home' ? rows[0] : event.key === 'End' ? rows[rows.length - 1] : null;
  (next ?? rows[Math.max(0, Math.min(rows.length - 1, index))])?.focus();
  event.preventDefault();
  event.stopPropagation();
}

/** Rows one below the other: arrow keys go along them, and the focus stays among them when one goes. */
export function RowList(props: { label: string; children: React.ReactNode }): JSX.Element {
  const frame = useKeptFocus<HTMLUListElement>();
  return (
    <ul className="jk-List" ref={frame} aria-label={props.label} onKeyDown={onListKeys}>
      {props.children}
    </ul>
  );
}
