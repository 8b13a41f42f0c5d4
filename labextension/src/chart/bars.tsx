import * as React from 'react';

import { percent } from '../format';

export interface IBar {
  readonly name: string;
  /** 0 to 1. */
  readonly share: number;
}

/** Shares as bars: a table, so that every reader has the same. */
export function Bars(props: { label: string; head: [string, string]; bars: readonly IBar[] }) {
  const most = Math.max(1e-9, ...props.bars.map(bar => bar.share));
  return (
    <table className="jk-Bars">
      <caption className="jk-visuallyHidden">{props.label}</caption>
      <thead className="jk-visuallyHidden">
        <tr>
          {props.head.map(name => (
            <th key={name} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {props.bars.map(bar => (
          <tr key={bar.name}>
            <th scope="row" dir="auto" title={bar.name}>
              {bar.name}
            </th>
            <td>
              <span className="jk-Bars-bar" aria-hidden="true">
                <i style={{ width: `${(100 * bar.share) / most}%` }} />
              </span>
              <span className="jk-Bars-value">{percent(bar.share)}</span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
