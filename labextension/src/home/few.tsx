import * as React from 'react';

import { useKubeflow } from '../ui/context';
import { Button } from '../ui/controls';

/** So many are shown before somebody asks for all. */
export const FEW = 8;

/** What matches all words of a filter. */
export function matching<T>(rows: readonly T[], text: (row: T) => string, filter: string): T[] {
  const words = filter.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter(row => {
    const said = text(row).toLocaleLowerCase();
    return words.every(word => said.includes(word));
  });
}

/**
 * The first rows of a list that may be long, and a button for all of them.
 * All of them are filtered, and scroll in their place, so that what stands below is not far.
 */
export function Few<T>(props: {
  label: string;
  rows: readonly T[];
  /** What the filter looks at. */
  text: (row: T) => string;
  children: (rows: readonly T[]) => React.ReactNode;
}): JSX.Element {
  const { label, rows, text } = props;
  const { trans } = useKubeflow();
  const [all, setAll] = React.useState(false);
  const [filter, setFilter] = React.useState('');
  if (rows.length <= FEW) {
    return <>{props.children(rows)}</>;
  }
  if (!all) {
    return (
      <>
        {props.children(rows.slice(0, FEW))}
        <Button label={trans.__('Show all %1', rows.length)} onClick={() => setAll(true)} />
      </>
    );
  }
  const found = matching(rows, text, filter);
  return (
    <>
      <input
        type="search"
        className="jk-Input jk-Home-filter"
        aria-label={trans.__('Filter: %1', label)}
        placeholder={trans.__('Filter')}
        value={filter}
        autoFocus
        onChange={event => setFilter(event.target.value)}
      />
      <div className="jk-Home-many" role="group" aria-label={label} tabIndex={0}>
        {found.length ? (
          props.children(found)
        ) : (
          <p className="jk-Quiet">{trans.__('Nothing matches “%1”.', filter)}</p>
        )}
      </div>
      <Button
        label={trans.__('Show fewer')}
        onClick={() => {
          setFilter('');
          setAll(false);
        }}
      />
    </>
  );
}
