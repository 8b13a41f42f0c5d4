import * as React from 'react';

import { useTrans } from '../../ui/context';

/** Says that reading the files may run code, and why; nothing where it cannot. */
export function Danger(props: {
  danger: string | null | undefined;
  trusted?: boolean;
  /** The sign alone; the words are read aloud and shown on hover. */
  compact?: boolean;
}): JSX.Element | null {
  const trans = useTrans();
  if (!props.danger) {
    return null;
  }
  const whose = props.trusted
    ? trans.__('You registered it yourself, so it is read without asking.')
    : trans.__('It is read only if you say that you trust it.');
  const word = trans.__('may run code');
  const classes = [
    'jk-Danger',
    props.trusted && 'jk-mod-trusted',
    props.compact && 'jk-mod-compact'
  ];
  return (
    <span
      className={classes.filter(Boolean).join(' ')}
      title={`${sentence(word)} ${sentence(props.danger)} ${whose}`}
    >
      <span aria-hidden="true">⚠</span> {!props.compact && word}
      <span className="jk-visuallyHidden">
        {props.compact ? word : ''}. {sentence(props.danger)} {whose}
      </span>
    </span>
  );
}

/** What the library says inside of a sentence, as one of its own. */
function sentence(text: string): string {
  const begun = text.charAt(0).toLocaleUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}
