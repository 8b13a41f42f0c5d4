import * as React from 'react';

import { useTrans } from '../../ui/context';
import type { Health } from '../model/endpoint';
import { HEALTH_TONE, healthOf, healthWord } from '../model/endpoint';
import type { Split } from '../model/split';
import { splitText } from '../model/endpoint';
import type { IEndpoint, IVariant } from '../model/types';

/** Shapes differ, not only colours. */
const SHAPES: Record<Health, JSX.Element> = {
  serving: <circle cx="8" cy="8" r="5" fill="currentColor" />,
  mixed: (
    <>
      <circle cx="8" cy="8" r="5" fill="none" stroke="currentColor" strokeWidth="1.6" />
      <path d="M8 3a5 5 0 0 1 0 10z" fill="currentColor" />
    </>
  ),
  starting: (
    <circle
      cx="8"
      cy="8"
      r="5"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeDasharray="5 3"
    />
  ),
  asleep: (
    <path
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinejoin="round"
      d="M4 5h5l-5 6h5M10.500 9.500h3l-3 4h3"
    />
  ),
  failed: <path d="m8 2.500 6 10.700H2z" fill="currentColor" />,
  stopped: <rect x="4" y="4" width="8" height="8" rx="1" fill="currentColor" />
};

/** How an endpoint stands: a mark, a word and a colour. `compact` keeps the word for hover and readers. */
export function HealthMark(props: { item: IEndpoint; compact?: boolean }): JSX.Element {
  const trans = useTrans();
  const { item } = props;
  const health = healthOf(item);
  return (
    <Mark
      health={health}
      word={healthWord(health, trans)}
      reason={item.status.reason}
      compact={props.compact}
    />
  );
}

function Mark(props: {
  health: Health;
  word: string;
  reason?: string | null;
  compact?: boolean;
}): JSX.Element {
  const { health, word, reason } = props;
  return (
    <span
      className={`jk-StateBadge jk-tone-${HEALTH_TONE[health]}`}
      title={reason ? `${word}: ${reason}` : word}
      data-health={health}
    >
      <svg
        className="jk-StateIcon"
        width="16"
        height="16"
        viewBox="0 0 16 16"
        aria-hidden="true"
        focusable="false"
      >
        {SHAPES[health]}
      </svg>
      <span className={props.compact ? 'jk-visuallyHidden' : 'jk-StateBadge-word'}>{word}</span>
    </span>
  );
}

const OF_VARIANT: Record<string, Health> = {
  ready: 'serving',
  loading: 'starting',
  failed: 'failed',
  asleep: 'asleep',
  retired: 'stopped'
};

/** How one variant stands. */
export function VariantMark(props: { variant: IVariant; stopped: boolean }): JSX.Element {
  const trans = useTrans();
  const { state, reason } = props.variant;
  const words: Record<string, string> = {
    ready: trans.__('Ready'),
    loading: trans.__('Loading'),
    failed: trans.__('Failed'),
    asleep: trans.__('Asleep'),
    retired: trans.__('Kept warm')
  };
  const stopped = props.stopped && state !== 'failed';
  return (
    <Mark
      health={stopped ? 'stopped' : (OF_VARIANT[state] ?? 'starting')}
      word={stopped ? trans.__('Stopped') : (words[state] ?? state)}
      reason={reason}
    />
  );
}

/** The split as a thin bar; what it says is its text, for readers and on hover. */
export function MiniSplit(props: { split: Split }): JSX.Element | null {
  const { split } = props;
  if (split.length < 2) {
    return null;
  }
  const text = splitText(split);
  return (
    <span className="jk-MiniSplit" title={text}>
      <span className="jk-visuallyHidden">{text}</span>
      {split.map(({ name, percent }, index) =>
        percent > 0 ? (
          <i
            key={name}
            aria-hidden="true"
            className={`jk-c${index % 8}`}
            style={{ flexGrow: percent }}
          />
        ) : null
      )}
    </span>
  );
}
