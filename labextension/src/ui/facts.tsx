import * as React from 'react';

import { number } from '../format';

/** Names and what they are, one below the other; `code` where both are code. */
export function Facts(props: {
  rows: readonly (readonly [name: string, value: string])[];
  code?: boolean;
}): JSX.Element {
  return (
    <dl className={props.code ? 'jk-Facts jk-mod-code' : 'jk-Facts'}>
      {props.rows.map(([name, value]) => (
        <React.Fragment key={name}>
          <dt dir="auto">{name}</dt>
          <dd dir="auto">{value}</dd>
        </React.Fragment>
      ))}
    </dl>
  );
}

/** Rows of `jk-Facts` for measured numbers; the whole number on hover. */
export function Numbers(props: {
  rows: readonly (readonly [name: string, value: number | null | undefined])[];
}): JSX.Element {
  return (
    <dl className="jk-Facts">
      {props.rows.map(([name, value]) => (
        <React.Fragment key={name}>
          <dt dir="auto">{name}</dt>
          <dd title={String(value ?? '')}>{number(value)}</dd>
        </React.Fragment>
      ))}
    </dl>
  );
}
