import * as React from 'react';

import { bytes } from '../format';
import { useKubeflow } from '../ui/context';
import { Card } from './card';
import type { IStorage } from './page';

/** What the profile takes on the disk, by what it is. */
export function Storage(props: { storage: IStorage }): JSX.Element {
  const { storage } = props;
  const { trans } = useKubeflow();
  const titles: Record<string, string> = {
    values: trans.__('Values, models and notebooks'),
    logs: trans.__('Logs'),
    work: trans.__('Files of what runs'),
    records: trans.__('Records and curves')
  };
  const parts = Object.entries(storage.parts)
    .filter(([, size]) => size > 0)
    .sort(([, a], [, b]) => b - a);
  const used = storage.whole
    ? trans.__('%1 used, %2 free', bytes(storage.total), bytes(storage.free))
    : trans.__('more than %1 used, %2 free', bytes(storage.total), bytes(storage.free));
  return (
    <Card title={trans.__('Storage')} note={used}>
      <div className="jk-Home-bar" aria-hidden="true">
        {parts.map(([name, size], at) => (
          <i
            key={name}
            className={`jk-Home-shade${at}`}
            style={{ width: `${(100 * size) / Math.max(storage.total, 1)}%` }}
          />
        ))}
      </div>
      <dl className="jk-Home-parts">
        {parts.map(([name, size], at) => (
          <React.Fragment key={name}>
            <dt>
              <i className={`jk-Home-swatch jk-Home-shade${at}`} aria-hidden="true" />
              {titles[name] ?? name}
            </dt>
            <dd>{bytes(size)}</dd>
          </React.Fragment>
        ))}
      </dl>
    </Card>
  );
}
