import * as React from 'react';

import { useKubeflow } from '../../ui/context';
import { Button, ErrorLine } from '../../ui/controls';
import { ask } from '../commands';
import { isStopped, variantsOf } from '../model/endpoint';
import { latency } from '../model/interval';
import type { IEndpoint, IReplay } from '../model/types';

const LAST = 200;
const SHOWN = 50;

/** Logged requests once more, to one variant: what it answers otherwise, before it gets traffic. */
export function ReplayBar(props: {
  item: IEndpoint;
  ids: readonly string[];
  onClear: () => void;
}): JSX.Element {
  const { item, ids } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [wanted, setWanted] = React.useState('');
  const [found, setFound] = React.useState<IReplay | null>(null);
  const [error, setError] = React.useState<unknown>(null);
  const variants = variantsOf(item);
  const last = variants[variants.length - 1]?.name ?? '';
  const variant = variants.some(({ name }) => name === wanted) ? wanted : last;
  const replay = async () => {
    setError(null);
    try {
      const body = { variant, ...(ids.length ? { ids } : { limit: LAST }) };
      setFound(await ask<IReplay>(kubeflow, item.metadata.name, 'replay', body));
    } catch (failure) {
      setFound(null);
      setError(failure);
    }
  };
  return (
    <div className="jk-Replay">
      <div className="jk-Requests-bar">
        <Button
          label={
            ids.length
              ? trans.__('Replay %1 selected', ids.length)
              : trans.__('Replay the last %1', LAST)
          }
          title={trans.__('Send them again; these copies count nowhere')}
          disabled={
            isStopped(item)
              ? trans.__('It is stopped: start it first.')
              : variant
                ? null
                : trans.__('There is no variant.')
          }
          onClick={replay}
        />
        <label>
          {trans.__('against')}
          <select
            className="jk-Select"
            value={variant}
            onChange={event => setWanted(event.target.value)}
          >
            {variants.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        {ids.length > 0 && <Button label={trans.__('Clear selection')} onClick={props.onClear} />}
      </div>
      {error ? <ErrorLine error={error} /> : null}
      {found && <Summary found={found} />}
    </div>
  );
}

function Summary(props: { found: IReplay }): JSX.Element {
  const { found } = props;
  const { trans } = useKubeflow();
  const words: Record<string, string> = {
    different: trans.__('different'),
    failed: trans.__('failed'),
    skipped: trans.__('left out'),
    same: trans.__('same')
  };
  const odd = found.rows.filter(({ result }) => result !== 'same');
  return (
    <section className="jk-Replay-found" aria-label={trans.__('Result of the replay')}>
      <p role="status" dir="auto">
        {found.summary}
      </p>
      {odd.length > 0 && (
        <table className="jk-Table">
          <caption className="jk-visuallyHidden">
            {trans.__('Answers that are not the same')}
          </caption>
          <thead>
            <tr>
              <th scope="col">{trans.__('Request')}</th>
              <th scope="col">{trans.__('Result')}</th>
              <th scope="col">{trans.__('Took')}</th>
              <th scope="col">{trans.__('What differs')}</th>
            </tr>
          </thead>
          <tbody>
            {odd.slice(0, SHOWN).map(row => (
              <tr key={row.id}>
                <th scope="row">
                  <code className="jk-Ellipsis" title={row.id}>
                    {row.id.slice(0, 8)}
                  </code>
                </th>
                <td>{words[row.result] ?? row.result}</td>
                <td>{latency(row.seconds)}</td>
                <td dir="auto">{row.words}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {odd.length > SHOWN && (
        <p className="jk-Muted">{trans.__('and %1 more', odd.length - SHOWN)}</p>
      )}
    </section>
  );
}
