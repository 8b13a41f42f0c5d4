import * as React from 'react';

import { number, quantity } from '../format';
import { useKubeflow } from '../ui/context';
import { Card } from './card';
import { Few } from './few';
import type { IQuota, IUse, IUsed } from './page';
import { isOfBytes } from './page';

type Trans = ReturnType<typeof useKubeflow>['trans'];

/** What the namespace may use, and how much of that is taken. */
export function Quotas(props: { quotas: readonly IQuota[] }): JSX.Element {
  const { quotas } = props;
  const { trans } = useKubeflow();
  const said = (resource: string, value: number) =>
    isOfBytes(resource) ? quantity(value) : number(value);
  return (
    <Card title={trans.__('Quota')} note={quotas.length ? undefined : trans.__('There is none.')}>
      {quotas.flatMap(({ name, rows }) =>
        rows.map(({ resource, used, hard }) => (
          <div className="jk-Home-amount" key={`${name}/${resource}`} title={name}>
            <span className="jk-Home-amountName">{resource}</span>
            <span className="jk-Home-amountWords">
              {trans.__('%1 of %2 used', said(resource, used), said(resource, hard))}
            </span>
            <div className="jk-Home-bar" aria-hidden="true">
              <i
                className={used >= hard ? 'jk-Home-shade1' : 'jk-Home-shade0'}
                style={{ width: `${hard > 0 ? Math.min(100, (100 * used) / hard) : 0}%` }}
              />
            </div>
          </div>
        ))
      )}
    </Card>
  );
}

/** Who uses it, and for what: what pods that run or wait have asked for. */
export function Use(props: { use: IUse }): JSX.Element {
  const { people, kinds, total } = props.use;
  const { trans } = useKubeflow();
  return (
    <Card
      title={trans.__('In use')}
      note={total.pods ? amounts(total, trans) : trans.__('No pods run or wait.')}
    >
      <Rows
        label={trans.__('By person')}
        rows={people.map(row => [row.name || trans.__('Nobody known'), row])}
        long
      />
      <Rows label={trans.__('By kind')} rows={kinds.map(row => [row.kind, row])} />
    </Card>
  );
}

function Rows(props: {
  label: string;
  rows: readonly (readonly [string, IUsed])[];
  /** Whether names need the line for themselves. */
  long?: boolean;
}): JSX.Element | null {
  const { label, rows } = props;
  const { trans } = useKubeflow();
  return rows.length ? (
    <>
      <h3 className="jk-Home-sub">{label}</h3>
      <Few label={label} rows={rows} text={([name]) => name}>
        {shown => (
          <ul className="jk-Home-shares" aria-label={label}>
            {shown.map(([name, row], at) => (
              <li key={name}>
                <i className={`jk-Home-swatch jk-Home-shade${at % 6}`} aria-hidden="true" />
                <span className="jk-Home-name" dir="auto" title={name}>
                  {name}
                </span>
                <span className={props.long ? 'jk-Home-below' : 'jk-Home-shareWords'}>
                  {amounts(row, trans)}
                </span>
              </li>
            ))}
          </ul>
        )}
      </Few>
    </>
  ) : null;
}

/** Cores, memory and GPUs in words. */
export function amounts(row: IUsed, trans: Trans): string {
  const cores = Math.round(row.cpu * 100) / 100;
  const parts = [
    row.cpu && trans._n('%1 core', '%1 cores', cores),
    row.memory && quantity(row.memory),
    row.gpus && trans._n('%1 GPU', '%1 GPUs', row.gpus),
    trans._n('%1 pod', '%1 pods', row.pods)
  ];
  return parts.filter(Boolean).join(', ');
}
