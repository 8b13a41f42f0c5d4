import * as React from 'react';

import { number } from '../../format';
import { useKubeflow } from '../../ui/context';
import { ErrorLine } from '../../ui/controls';
import { ask } from '../commands';
import { isStopped, variantsOf } from '../model/endpoint';
import { amount, latency, picture, tone } from '../model/interval';
import type { IComparedVariant, IDifference, IVerdict } from '../model/types';
import { usePolled } from '../../ui/polled';
import type { IPaneProps } from './view';

const BEAT = 5_000;
const HOUR = 3600;

/** Which variant is better, whether that is known yet, and the numbers behind it. */
export function ComparePane(props: IPaneProps): JSX.Element {
  const { item } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [metric, setMetric] = React.useState('');
  const [since, setSince] = React.useState(0);
  const names = variantsOf(item).map(({ name }) => name);
  const key = [item.metadata.uid, names.join(), metric, since].join('|');
  const { value, error, reload } = usePolled(
    names.length > 1 ? key : `${key}|alone`,
    isStopped(item) || names.length < 2 ? 0 : BEAT,
    signal =>
      names.length > 1
        ? ask<IVerdict>(
            kubeflow,
            item.metadata.name,
            'compare',
            { ...(metric && { metric }), ...(since && { since }) },
            signal
          )
        : Promise.resolve(null)
  );
  if (names.length < 2) {
    return (
      <p className="jk-Quiet">
        {trans.__(
          'There is one variant. Put another version beside it, and they are compared here on live traffic.'
        )}
      </p>
    );
  }
  if (!value) {
    return error ? (
      <ErrorLine error={error} onRetry={reload} />
    ) : (
      <p className="jk-Quiet">{trans.__('Loading…')}</p>
    );
  }
  const metrics = value.metrics ?? [];
  return (
    <div className="jk-Verdict">
      <p className="jk-Verdict-words" role="status" dir="auto">
        {value.verdict}
      </p>
      <div className="jk-Verdict-bar">
        <label>
          {trans.__('By')}
          <select
            className="jk-Select"
            value={metric}
            onChange={event => setMetric(event.target.value)}
          >
            <option value="">{trans.__('what was measured')}</option>
            {metrics.map(name => (
              <option key={name} value={name}>
                {metricWord(name, trans)}
              </option>
            ))}
          </select>
        </label>
        <label>
          {trans.__('Since')}
          <select
            className="jk-Select"
            value={since}
            onChange={event => setSince(Number(event.target.value))}
          >
            <option value={0}>{trans.__('the last change')}</option>
            <option value={HOUR}>{trans.__('an hour ago')}</option>
            <option value={24 * HOUR}>{trans.__('a day ago')}</option>
          </select>
        </label>
      </div>
      {error ? <ErrorLine error={error} /> : null}
      {value.differences.length > 0 && (
        <ul className="jk-Verdict-list" aria-label={trans.__('Differences')}>
          {value.differences.map(each => (
            <Difference key={`${each.variant}/${each.metric}`} difference={each} />
          ))}
        </ul>
      )}
      <Numbers rows={value.rows} />
      <p className="jk-Muted jk-Small">
        {trans.__('Looking often does not raise the chance of a false verdict.')}
      </p>
    </div>
  );
}

function metricWord(name: string, trans: ReturnType<typeof useKubeflow>['trans']): string {
  const words: Record<string, string> = {
    errors: trans.__('errors'),
    rejected: trans.__('rejected requests'),
    p50: trans.__('latency p50'),
    p95: trans.__('latency p95'),
    p99: trans.__('latency p99')
  };
  return words[name] ?? name;
}

/** An estimate with its interval, against zero. */
function Difference(props: { difference: IDifference }): JSX.Element {
  const { difference } = props;
  const { trans } = useKubeflow();
  const { interval, estimate, unit } = difference;
  const drawn = picture(difference);
  const what = trans.__(
    '%1 of %2 against %3',
    metricWord(difference.metric, trans),
    difference.variant,
    difference.against
  );
  const numbers =
    typeof estimate === 'number'
      ? interval
        ? trans.__(
            '%1 (%2 to %3)',
            amount(estimate, unit),
            amount(interval[0], unit),
            amount(interval[1], unit)
          )
        : amount(estimate, unit)
      : '–';
  return (
    <li className={`jk-tone-${tone(difference)}`}>
      <span className="jk-Verdict-what" dir="auto">
        {what}
      </span>
      <b>{numbers}</b>
      {drawn && (
        <span className="jk-Interval" aria-hidden="true">
          <i className="jk-Interval-zero" style={{ left: `${100 * drawn.zero}%` }} />
          <i
            className="jk-Interval-range"
            style={{ left: `${100 * drawn.low}%`, width: `${100 * (drawn.high - drawn.low)}%` }}
          />
          <i className="jk-Interval-at" style={{ left: `${100 * drawn.at}%` }} />
        </span>
      )}
      <span className="jk-Muted">
        {difference.text ||
          (difference.significant
            ? trans.__('enough evidence')
            : trans.__('not enough evidence yet'))}
      </span>
    </li>
  );
}

function Numbers(props: { rows: readonly IComparedVariant[] }): JSX.Element {
  const { trans } = useKubeflow();
  const { rows } = props;
  const outcome = rows.find(row => row.outcome)?.outcome?.name;
  const some = rows.some(row => row.outcome);
  return (
    <div className="jk-ScrollX" tabIndex={0} role="group" aria-label={trans.__('Table of numbers')}>
      <table className="jk-Table">
        <caption className="jk-visuallyHidden">{trans.__('What was measured of each')}</caption>
        <thead>
          <tr>
            <th scope="col">{trans.__('Variant')}</th>
            <th scope="col">{trans.__('Requests')}</th>
            <th scope="col">{trans.__('Errors')}</th>
            <th scope="col">p50</th>
            <th scope="col">p95</th>
            <th scope="col">p99</th>
            {some && <th scope="col">{outcome ?? trans.__('Outcome')}</th>}
          </tr>
        </thead>
        <tbody>
          {rows.map(row => (
            <tr key={row.variant}>
              <th scope="row" dir="auto">
                {row.variant}
              </th>
              <td>{number(row.requests)}</td>
              <td>
                {typeof row.errorRate === 'number'
                  ? `${number(Number((100 * row.errorRate).toPrecision(3)))} %`
                  : '–'}
              </td>
              <td>{latency(row.p50)}</td>
              <td>{latency(row.p95)}</td>
              <td>{latency(row.p99)}</td>
              {some && (
                <td>
                  {row.outcome && typeof row.outcome.mean === 'number'
                    ? `${number(row.outcome.mean)} (${number(row.outcome.n)})`
                    : '–'}
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
