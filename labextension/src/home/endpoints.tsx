import * as React from 'react';

import { number, percent } from '../format';
import { useKubeflow } from '../ui/context';
import { Card } from './card';
import { Few } from './few';
import type { IEndpointRow } from './page';
import { Rows } from './work';

/** How what answers requests fares. */
export function Endpoints(props: { endpoints: readonly IEndpointRow[] }): JSX.Element {
  const { trans } = useKubeflow();
  const { endpoints } = props;
  const well = endpoints.filter(({ phase }) => phase === 'RUNNING').length;
  return (
    <Card title={trans.__('Endpoints')} note={trans.__('%1 of %2 answer', well, endpoints.length)}>
      <Few
        label={trans.__('Endpoints')}
        rows={endpoints}
        text={({ name, title, phase }) => `${name} ${title} ${phase}`}
      >
        {rows => (
          <Rows
            label={trans.__('Endpoints')}
            rows={rows}
            extra={row => <Facts endpoint={row} />}
            steady={trans.__('Answers')}
          />
        )}
      </Few>
    </Card>
  );
}

function Facts(props: { endpoint: IEndpointRow }): JSX.Element | null {
  const { variants, rate, errors } = props.endpoint;
  const { trans } = useKubeflow();
  const shares = variants.map(({ name, percent: share, model, version }) => {
    const what = model && version ? `${model}:${version}` : (name ?? '');
    return share === undefined || variants.length === 1 ? what : `${what} ${share} %`;
  });
  const facts = [
    shares.join(', '),
    rate !== undefined && trans.__('%1 requests/s', number(rate)),
    errors ? trans.__('%1 failed', percent(errors)) : null
  ].filter(Boolean);
  return facts.length ? (
    <span className={errors ? 'jk-Home-facts jk-mod-bad' : 'jk-Home-facts'} dir="auto">
      {facts.join(' · ')}
    </span>
  ) : null;
}
