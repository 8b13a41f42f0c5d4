import * as React from 'react';

import { number } from '../format';
import { useTrans } from '../ui/context';

type Rows = (string | number | null)[][];

/** Every chart is a picture with a table of the same numbers behind it. */
export function Figure(props: {
  label: string;
  head: string[];
  /** A function is asked only when somebody wants the table: for charts that change all the time. */
  rows: Rows | (() => Rows);
  /** The picture answers to pointer and keys: then it is no plain image. */
  live?: boolean;
  children: React.ReactNode;
}): JSX.Element {
  const trans = useTrans();
  const [shown, setShown] = React.useState(false);
  const always = typeof props.rows !== 'function';
  return (
    <figure className="jk-Figure" aria-label={props.label}>
      {!shown &&
        (props.live ? (
          props.children
        ) : (
          <div role="img" aria-label={props.label}>
            {props.children}
          </div>
        ))}
      {(shown || always) && (
        <div
          className={shown ? 'jk-Figure-table' : 'jk-visuallyHidden'}
          tabIndex={shown ? 0 : undefined}
        >
          <FigureTable
            {...props}
            rows={typeof props.rows === 'function' ? props.rows() : props.rows}
          />
        </div>
      )}
      <button
        type="button"
        className="jk-Link"
        aria-label={
          shown
            ? trans.__('Show as picture: %1', props.label)
            : trans.__('Show as table: %1', props.label)
        }
        onClick={() => setShown(!shown)}
      >
        {shown ? trans.__('Show as picture') : trans.__('Show as table')}
      </button>
    </figure>
  );
}

function FigureTable(props: { label: string; head: string[]; rows: Rows }): JSX.Element {
  return (
    <table>
      <caption className="jk-visuallyHidden">{props.label}</caption>
      <thead>
        <tr>
          {props.head.map(name => (
            <th key={name} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {props.rows.map((row, index) => (
          <tr key={index}>
            {row.map((value, column) => (
              <td key={column}>{typeof value === 'number' ? number(value) : value}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
