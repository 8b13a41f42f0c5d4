import * as React from 'react';

import { duration, number } from '../format';
import type { ICompareRow, sections } from '../model/comparison';
import { deltas, extremes, shares } from '../model/comparison';
import type { Json } from '../model/types';
import { useTrans } from './context';
import { StateBadge } from './state';
import { RelativeTime } from './time';

export interface ICompareColumn {
  readonly name: string;
  readonly state?: string;
  readonly created?: string;
  /** Its colour in the charts beside. */
  readonly mark?: React.ReactNode;
  readonly open: () => void;
}

/** Things as columns, the first the reference; rows that differ come first in each section. */
export function CompareTable(props: {
  columns: readonly ICompareColumn[];
  sections: ReturnType<typeof sections>;
  /** Titles of sections, and of the rows of the section `run`. */
  titles: Record<string, string>;
  facts: Record<string, string>;
  onNames: (names: readonly string[]) => void;
}): JSX.Element {
  const trans = useTrans();
  const { columns, titles } = props;
  return (
    <table className="jk-Compare-table">
      <ColumnHeads columns={columns} onNames={props.onNames} />
      {props.sections.map(section => (
        <tbody key={section.name}>
          <tr className="jk-Compare-section">
            <th scope="rowgroup" colSpan={columns.length + 1}>
              {titles[section.name] ?? section.name}
              <span className="jk-Count">
                {trans._n('%1 difference', '%1 differences', section.differing)}
              </span>
            </th>
          </tr>
          {section.rows.map(row => (
            <CompareRow key={row.name} row={row} facts={props.facts} />
          ))}
        </tbody>
      ))}
    </table>
  );
}

function ColumnHeads(props: {
  columns: readonly ICompareColumn[];
  onNames: (names: readonly string[]) => void;
}): JSX.Element {
  const trans = useTrans();
  const { columns } = props;
  return (
    <thead>
      <tr>
        <th scope="col">
          <span className="jk-visuallyHidden">{trans.__('What')}</span>
        </th>
        {columns.map(({ name, state, created, open, mark }, index) => {
          return (
            <th key={name} scope="col">
              <div className="jk-Compare-column">
                <button type="button" className="jk-Link jk-Ellipsis" title={name} onClick={open}>
                  {name}
                </button>
                {columns.length > 2 && (
                  <button
                    type="button"
                    className="jk-Button jk-mod-icon"
                    aria-label={trans.__('Leave out %1', name)}
                    title={trans.__('Leave out')}
                    onClick={() =>
                      props.onNames(columns.map(each => each.name).filter(each => each !== name))
                    }
                  >
                    ✕
                  </button>
                )}
              </div>
              <div className="jk-Compare-sub">
                {mark}
                {state && <StateBadge state={state} />}
                {created && <RelativeTime time={created} />}
                {index === 0 && <span className="jk-Muted">{trans.__('reference')}</span>}
              </div>
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

function CompareRow(props: { row: ICompareRow; facts: Record<string, string> }): JSX.Element {
  const { row, facts } = props;
  const trans = useTrans();
  const bars = row.section === 'metrics' || row.section === 'seconds';
  const lengths = bars ? shares(row.values) : [];
  const away = bars ? deltas(row.values) : [];
  const ends = row.section === 'metrics' ? extremes(row.values) : null;
  return (
    <tr className={row.differs ? 'jk-mod-differs' : undefined}>
      <th scope="row" dir="auto" title={row.name}>
        {row.section === 'run' ? (facts[row.name] ?? row.name) : row.name}
        {row.differs && <span className="jk-visuallyHidden"> ({trans.__('differs')})</span>}
      </th>
      {row.values.map((value, index) => (
        <td key={index} className={bars ? 'jk-Number' : undefined}>
          <Cell row={row} value={value} />
          <Delta row={row} value={away[index]} />
          {ends?.most.includes(index) && (
            <span className="jk-Compare-mark" title={trans.__('Highest')}>
              ▲<span className="jk-visuallyHidden"> {trans.__('highest')}</span>
            </span>
          )}
          {ends?.least.includes(index) && (
            <span className="jk-Compare-mark" title={trans.__('Lowest')}>
              ▼<span className="jk-visuallyHidden"> {trans.__('lowest')}</span>
            </span>
          )}
          {bars && (
            <span className="jk-Compare-bar" aria-hidden="true">
              <i style={{ width: `${100 * (lengths[index] ?? 0)}%` }} />
            </span>
          )}
        </td>
      ))}
    </tr>
  );
}

/** Against the first one, with its sign. */
function Delta(props: { row: ICompareRow; value: number | null | undefined }): JSX.Element | null {
  const { row, value } = props;
  if (value === null || value === undefined) {
    return null;
  }
  const size = Math.abs(value);
  const text = row.section === 'seconds' ? duration(size) : number(size);
  return (
    <span className="jk-Compare-delta">
      {value > 0 ? '+' : '−'}
      {text}
    </span>
  );
}

function Cell(props: { row: ICompareRow; value: Json }): JSX.Element {
  const { row, value } = props;
  const trans = useTrans();
  if (value === null || value === undefined) {
    return <span className="jk-Muted">–</span>;
  }
  if (row.section === 'states' || (row.section === 'run' && row.name === 'state')) {
    return <StateBadge state={String(value)} />;
  }
  if (row.section === 'seconds' || (row.section === 'run' && row.name === 'seconds')) {
    return <>{duration(Number(value))}</>;
  }
  if (row.section === 'cached') {
    return <>{value ? trans.__('From cache') : trans.__('Ran')}</>;
  }
  if (typeof value === 'number') {
    return <span title={String(value)}>{number(value)}</span>;
  }
  if (row.section === 'outputs' && Array.isArray(value)) {
    return (
      <span dir="auto" title={value.map(String).join('\n')}>
        {String(value[0] ?? '')} <code className="jk-Muted">{digest(value[1])}</code>
      </span>
    );
  }
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (/^b3:[0-9a-f]{64}$/.test(text)) {
    return <code title={text}>{digest(text)}</code>;
  }
  return row.section === 'run' && row.name === 'notebook' ? (
    <code title={text}>{digest(text)}</code>
  ) : (
    <span dir="auto" title={text}>
      {text}
    </span>
  );
}

function digest(value: Json): string {
  return String(value ?? '')
    .replace(/^b3:/, '')
    .slice(0, 8);
}
