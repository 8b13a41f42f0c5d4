import * as React from 'react';

import { number } from '../../format';
import { KubeflowError } from '../../model/errors';
import { useKubeflow } from '../../ui/context';
import { ErrorLine } from '../../ui/controls';
import { ask } from '../commands';
import { isStopped, variantsOf } from '../model/endpoint';
import type { IDrift, IDriftAnswer } from '../model/types';
import { usePolled } from '../../ui/polled';
import type { IPaneProps } from './view';

const BEAT = 15_000;
const TONES: Record<string, string> = { none: 'good', some: 'wait', much: 'bad', unknown: 'off' };

/** Whether what comes in, and goes out, still looks like what the model was trained on. */
export function DriftPane(props: IPaneProps): JSX.Element {
  const { item } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [variant, setVariant] = React.useState('');
  const variants = variantsOf(item);
  const known = variants.some(({ name }) => name === variant) ? variant : '';
  const { value, error, reload } = usePolled(
    `${item.metadata.uid}|${known}`,
    isStopped(item) ? 0 : BEAT,
    signal =>
      ask<IDriftAnswer>(
        kubeflow,
        item.metadata.name,
        'drift',
        known ? { variant: known } : {},
        signal
      )
  );
  return (
    <div className="jk-Drift">
      {variants.length > 1 && (
        <label className="jk-Drift-of">
          {trans.__('Requests to')}
          <select
            className="jk-Select"
            value={known}
            onChange={event => setVariant(event.target.value)}
          >
            <option value="">{trans.__('the stable variant')}</option>
            {variants.slice(1).map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      {error ? <Lacking error={error} onRetry={reload} /> : null}
      {!value && !error && <p className="jk-Quiet">{trans.__('Loading…')}</p>}
      {value?.words && (
        <p role="status" dir="auto">
          {value.words}
        </p>
      )}
      {value && value.items.length > 0 && <Features items={value.items} />}
      {value && !value.items.length && !value.words && (
        <p className="jk-Quiet">
          {trans.__(
            'Nothing to compare yet: it needs the training sample in the registry and logged requests.'
          )}
        </p>
      )}
    </div>
  );
}

/** That nothing can be compared yet is no failure. */
function Lacking(props: { error: unknown; onRetry: () => void }): JSX.Element {
  const { message, hint, status } = KubeflowError.from(props.error);
  return status === 409 || status === 404 ? (
    <p className="jk-Quiet" role="status" dir="auto">
      {message}
      {hint && !message.includes(hint) && ` ${hint}`}
    </p>
  ) : (
    <ErrorLine error={props.error} onRetry={props.onRetry} />
  );
}

function Features(props: { items: readonly IDrift[] }): JSX.Element {
  const { trans } = useKubeflow();
  const words: Record<string, string> = {
    none: trans.__('Steady'),
    some: trans.__('Some drift'),
    much: trans.__('Much drift'),
    unknown: trans.__('Not known')
  };
  return (
    <div
      className="jk-ScrollX"
      tabIndex={0}
      role="group"
      aria-label={trans.__('Table of features')}
    >
      <table className="jk-Table jk-Drift-table">
        <caption className="jk-visuallyHidden">{trans.__('Drift of each feature')}</caption>
        <thead>
          <tr>
            <th scope="col">{trans.__('Feature')}</th>
            <th scope="col">{trans.__('Drift')}</th>
            <th scope="col">
              <abbr title={trans.__('Population stability index: from 0.25 on much')}>PSI</abbr>
            </th>
            <th scope="col">
              <abbr title={trans.__('Kolmogorov–Smirnov distance, 0 to 1')}>KS</abbr>
            </th>
          </tr>
        </thead>
        <tbody>
          {props.items.map(({ feature, kind, level, psi, ks, words: said }) => (
            <tr key={`${kind}/${feature}`} data-level={level}>
              <th scope="row" dir="auto" title={feature}>
                {feature}
                {kind === 'output' && <span className="jk-Muted"> {trans.__('(answer)')}</span>}
              </th>
              <td>
                <span className={`jk-StateBadge jk-tone-${TONES[level] ?? 'off'}`}>
                  <i className="jk-Dot" />
                  {words[level] ?? level}
                </span>
                {said && (
                  <p className="jk-Variants-reason" dir="auto">
                    {said}
                  </p>
                )}
              </td>
              <td>{number(psi)}</td>
              <td>{number(ks)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
