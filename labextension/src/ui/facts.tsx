import * as React from 'react';

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
