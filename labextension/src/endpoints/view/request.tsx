import * as React from 'react';

import type { Json } from '../../model/types';
import { useFetched, useKubeflow } from '../../ui/context';
import { Button, CopyButton, ErrorLine } from '../../ui/controls';
import { RelativeTime } from '../../ui/time';
import { ask } from '../commands';
import { pretty } from '../model/json';
import { latency } from '../model/interval';
import type { IEndpoint, ILoggedBodies } from '../model/types';
import { millisOf } from './requests';

/** One request in full: what came, and what was answered. */
export function RequestDetail(props: {
  item: IEndpoint;
  id: string;
  onClose: () => void;
}): JSX.Element {
  const { item, id } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { value, error, reload } = useFetched(`${item.metadata.uid}|${id}`, signal =>
    ask<ILoggedBodies>(kubeflow, item.metadata.name, 'request', { id }, signal)
  );
  return (
    <section
      className="jk-Request"
      aria-label={trans.__('Request %1', id)}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          props.onClose();
          event.stopPropagation();
        }
      }}
    >
      <div className="jk-Request-head">
        <Button label={trans.__('Back to requests')} autoFocus onClick={props.onClose} />
        <code className="jk-Ellipsis" title={id}>
          {id}
        </code>
        <CopyButton text={id} label={trans.__('Copy request id')} />
      </div>
      {error ? <ErrorLine error={error} onRetry={reload} /> : null}
      {!value && !error && <p className="jk-Quiet">{trans.__('Loading…')}</p>}
      {value && (
        <>
          <dl className="jk-Facts">
            <dt>{trans.__('Time')}</dt>
            <dd>
              <RelativeTime time={millisOf(value.time)} />
            </dd>
            <dt>{trans.__('Variant')}</dt>
            <dd dir="auto">{value.variant}</dd>
            <dt>{trans.__('Status')}</dt>
            <dd>
              {value.status || trans.__('lost')}
              {value.error && ` · ${value.error}`}
            </dd>
            <dt>{trans.__('Took')}</dt>
            <dd>{latency(value.seconds)}</dd>
            {value.path && (
              <>
                <dt>{trans.__('Path')}</dt>
                <dd>
                  <code>{value.path}</code>
                </dd>
              </>
            )}
          </dl>
          <Body title={trans.__('Request')} json={value.request} text={value.requestText} />
          <Body title={trans.__('Response')} json={value.response} text={value.responseText} />
        </>
      )}
    </section>
  );
}

function Body(props: { title: string; json?: Json; text?: string | null }): JSX.Element {
  const { trans } = useKubeflow();
  const { json, text } = props;
  const shown = json === null || json === undefined ? (text ?? '') : pretty(json);
  return (
    <section aria-label={props.title}>
      <h3 className="jk-SmallTitle">{props.title}</h3>
      {shown ? (
        <div className="jk-Code jk-mod-tall">
          <pre tabIndex={0} dir="ltr">
            {shown}
          </pre>
          <CopyButton text={shown} label={trans.__('Copy %1', props.title)} />
        </div>
      ) : (
        <p className="jk-Quiet">{trans.__('Its body was not kept.')}</p>
      )}
    </section>
  );
}
