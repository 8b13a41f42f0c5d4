import * as React from 'react';

import { number } from '../../format';
import type { CurvesFeed } from '../../training/model/curves';
import { useKubeflow } from '../../ui/context';
import { Button, ErrorLine, InlineConfirm } from '../../ui/controls';
import { ask, EndpointCommands } from '../commands';
import { isStopped, mirrorOf, splitOf, variantsOf, versionText } from '../model/endpoint';
import { latency } from '../model/interval';
import { find, latest, recent } from '../model/series';
import type { IEndpoint, IVariant } from '../model/types';
import { VariantMark } from './marks';
import type { IPaneProps } from './view';

interface IAsking {
  readonly variant: string;
  readonly what: 'mirror' | 'promote' | 'remove';
}

/** Every variant: what it serves, how it stands, how fast it is, and what can be done with it. */
export function Variants(props: IPaneProps & { feed: CurvesFeed; count: number }): JSX.Element {
  const { item, feed } = props;
  const { trans } = useKubeflow();
  const [asking, setAsking] = React.useState<IAsking | null>(null);
  const variants = variantsOf(item);
  if (!variants.length) {
    return <></>;
  }
  const heads = [
    trans.__('Variant'),
    trans.__('State'),
    trans.__('Replicas'),
    trans.__('Rate'),
    trans.__('Errors'),
    'p50',
    'p95',
    'p99'
  ];
  return (
    <section className="jk-Variants" aria-label={trans.__('Variants')}>
      <div
        className="jk-ScrollX"
        tabIndex={0}
        role="group"
        aria-label={trans.__('Table of variants')}
      >
        <table className="jk-Table">
          <caption className="jk-visuallyHidden">{trans.__('Variants of this endpoint')}</caption>
          <thead>
            <tr>
              {heads.map((head, index) => (
                <th key={head} scope="col" className={index > 2 ? 'jk-Number' : undefined}>
                  {head}
                </th>
              ))}
              <th scope="col">
                <span className="jk-visuallyHidden">{trans.__('Actions')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {variants.map((variant, index) => (
              <Row
                key={variant.name}
                {...props}
                variant={variant}
                index={index}
                feed={feed}
                onAsk={what => setAsking({ variant: variant.name, what })}
              />
            ))}
          </tbody>
        </table>
      </div>
      {asking && <Question item={item} asking={asking} onDone={() => setAsking(null)} />}
    </section>
  );
}

function Row(
  props: IPaneProps & {
    variant: IVariant;
    index: number;
    feed: CurvesFeed;
    onAsk: (what: IAsking['what']) => void;
  }
): JSX.Element {
  const { item, variant, index, feed } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const mirror = mirrorOf(item);
  const stopped = isStopped(item);
  return (
    <tr data-variant={variant.name} data-state={variant.state}>
      <th scope="row">
        <span className={`jk-Variants-name jk-c${index % 8}`}>
          <i className="jk-Swatch" />
          <span className="jk-Variants-own jk-Ellipsis" dir="auto" title={variant.name}>
            {variant.name}
          </span>
          <ModelLink variant={variant} />
        </span>
      </th>
      <td>
        <VariantMark variant={variant} stopped={stopped} />
        {variant.reason && variant.state !== 'ready' && (
          <p className="jk-Variants-reason" dir="auto" title={variant.reason}>
            {variant.reason.split('\n')[0]}
          </p>
        )}
        {mirror?.variant === variant.name && (
          <span className="jk-Variants-mirror">{trans.__('mirror %1 %', mirror.percent)}</span>
        )}
      </td>
      <td className="jk-Number">
        {replicasText(variant)}
        {variant.restarts ? (
          <span className="jk-Muted">
            {' '}
            {trans._n('(%1 restart)', '(%1 restarts)', variant.restarts)}
          </span>
        ) : null}
      </td>
      <Measured name={variant.name} feed={feed} />
      <td>
        <VariantActions {...props} />
      </td>
    </tr>
  );
}

/** *2*, or *1 of 2* while some are missing. */
function replicasText({ replicas, wanted }: IVariant): string {
  if (replicas === null || replicas === undefined) {
    return '–';
  }
  return wanted && wanted > replicas ? `${replicas}/${wanted}` : String(replicas);
}

/** The last seconds, not a mean over everything. */
function Measured(props: { name: string; feed: CurvesFeed }): JSX.Element {
  const { name, feed } = props;
  const { series } = feed.curves;
  const now = Date.now() / 1000;
  const rate = recent(find(series, name, 'rate'), now);
  const errors = recent(find(series, name, 'errors'), now);
  const slow = (measure: 'p50' | 'p95' | 'p99') =>
    latency(latest(find(series, name, measure), now));
  return (
    <>
      <td className="jk-Number">{rate === null ? '–' : perSecond(rate)}</td>
      <td className={errors ? 'jk-Number jk-mod-bad' : 'jk-Number'}>
        {errors === null ? '–' : perSecond(errors)}
      </td>
      <td className="jk-Number">{slow('p50')}</td>
      <td className="jk-Number">{slow('p95')}</td>
      <td className="jk-Number">{slow('p99')}</td>
    </>
  );
}

export function perSecond(rate: number): string {
  return `${number(Number(rate.toPrecision(rate < 10 ? 2 : 3)))}/s`;
}

function ModelLink(props: { variant: IVariant }): JSX.Element {
  const { model, version } = props.variant;
  const kubeflow = useKubeflow();
  const text = versionText(props.variant);
  return model && kubeflow.sections.view('RegisteredModel') ? (
    <button
      type="button"
      className="jk-Link jk-Ellipsis"
      dir="auto"
      title={text}
      onClick={() =>
        void kubeflow.open('RegisteredModel', model, version ? { version } : undefined)
      }
    >
      {text}
    </button>
  ) : (
    <span className="jk-Muted jk-Ellipsis" dir="auto" title={text}>
      {text}
    </span>
  );
}

function VariantActions(props: {
  item: IEndpoint;
  variant: IVariant;
  index: number;
  onAsk: (what: IAsking['what']) => void;
}): JSX.Element {
  const { item, variant, index } = props;
  const { trans } = useKubeflow();
  const { name } = variant;
  const alone = splitOf(item).length < 2;
  const failed = variant.state === 'failed' ? trans.__('Its model could not be loaded.') : null;
  const mirrors = mirrorOf(item)?.variant === name;
  return (
    <span className="jk-Variants-actions">
      {!alone && (
        <Button
          label={trans.__('Promote')}
          title={trans.__('Give %1 all traffic and make it the stable one', name)}
          disabled={
            failed ??
            (index === 0 && variant.percent >= 100 ? trans.__('It has all traffic.') : null)
          }
          onClick={() => props.onAsk('promote')}
        />
      )}
      {!alone && index > 0 && (
        <Button
          label={mirrors ? trans.__('Stop mirror') : trans.__('Mirror…')}
          title={trans.__('Send %1 copies of requests; its answers are only compared', name)}
          disabled={failed}
          onClick={() => props.onAsk('mirror')}
        />
      )}
      {!alone && (
        <Button
          label={trans.__('Remove')}
          title={trans.__('Take %1 out of this endpoint', name)}
          disabled={index === 0 ? trans.__('The stable one: promote another first.') : null}
          onClick={() => props.onAsk('remove')}
        />
      )}
    </span>
  );
}

function Question(props: { item: IEndpoint; asking: IAsking; onDone: () => void }): JSX.Element {
  const { item, asking, onDone } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { variant, what } = asking;
  const { name } = item.metadata;
  if (what === 'mirror') {
    return <MirrorForm {...props} />;
  }
  const promote = what === 'promote';
  const share = splitOf(item).find(each => each.name === variant)?.percent ?? 0;
  return (
    <InlineConfirm
      question={
        promote
          ? trans.__('Give %1 100 % of the traffic? Roll back takes it back.', variant)
          : share
            ? trans.__('Remove %1? Its %2 % go to the stable one.', variant, share)
            : trans.__('Remove %1? It gets no traffic.', variant)
      }
      verb={promote ? trans.__('Promote') : trans.__('Remove')}
      onConfirm={async () => {
        const command = promote ? EndpointCommands.promote : EndpointCommands.removeVariant;
        await kubeflow.execute(command, { name, variant });
        onDone();
      }}
      onCancel={onDone}
    />
  );
}

function MirrorForm(props: { item: IEndpoint; asking: IAsking; onDone: () => void }): JSX.Element {
  const { item, asking, onDone } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const id = React.useId();
  const [text, setText] = React.useState('20');
  const [error, setError] = React.useState<unknown>(null);
  const mirrors = mirrorOf(item)?.variant === asking.variant;
  const percent = Number(text);
  const wrong =
    Number.isInteger(percent) && percent >= 1 && percent <= 100
      ? null
      : trans.__('A whole number from 1 to 100.');
  const send = async () => {
    try {
      const body = mirrors ? { variant: null, percent: 0 } : { variant: asking.variant, percent };
      await ask(kubeflow, item.metadata.name, 'mirror', body);
      onDone();
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <form
      className="jk-InlineConfirm"
      aria-label={trans.__('Mirror to %1', asking.variant)}
      onSubmit={event => {
        event.preventDefault();
        if (!wrong) {
          void send();
        }
      }}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          onDone();
        }
      }}
    >
      {mirrors ? (
        <span>{trans.__('Send no more copies to %1?', asking.variant)}</span>
      ) : (
        <>
          <label htmlFor={id}>{trans.__('Percent copied to %1', asking.variant)}</label>
          <input
            id={id}
            className="jk-Input jk-mod-short"
            type="number"
            min={1}
            max={100}
            autoFocus
            value={text}
            aria-invalid={wrong ? true : undefined}
            onChange={event => setText(event.target.value)}
          />
        </>
      )}
      <Button
        label={mirrors ? trans.__('Stop mirror') : trans.__('Mirror')}
        kind="primary"
        disabled={mirrors ? null : wrong}
        onClick={send}
      />
      <Button label={trans.__('Cancel')} onClick={onDone} />
      {error ? <ErrorLine error={error} /> : null}
    </form>
  );
}
