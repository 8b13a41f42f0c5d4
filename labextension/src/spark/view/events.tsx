import * as React from 'react';

import { pluralOf } from '../../model/kinds';
import { useKubeflow } from '../../ui/context';
import { ErrorLine } from '../../ui/controls';
import { usePolled } from '../../ui/polled';
import { RelativeTime } from '../../ui/time';
import type { IEvent, ISpark } from '../model/types';

/** What happened to it, the newest first: another attempt, output that was removed, an executor that was lost. */
export function EventList(props: { app: ISpark }): JSX.Element {
  const { kind, metadata, status } = props.app;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  // Events come with changes of state, not with each task.
  const key = [metadata.uid, status.phase, status.attempt, status.reason].join();
  const { value, error, reload } = usePolled(key, 0, signal =>
    kubeflow.request<{ items: IEvent[] }>(
      `${pluralOf(kind)}/${encodeURIComponent(metadata.name)}:events`,
      { method: 'POST', body: {}, signal }
    )
  );
  if (!value) {
    return error ? (
      <ErrorLine error={error} onRetry={reload} />
    ) : (
      <p className="jk-Quiet">{trans.__('Loading…')}</p>
    );
  }
  if (!value.items.length) {
    return <p className="jk-Quiet">{trans.__('Nothing out of the ordinary has happened.')}</p>;
  }
  return (
    <ol className="jk-Events" aria-label={trans.__('Events')}>
      {value.items.map((event, index) => (
        <li key={index} className={event.type === 'Warning' ? 'jk-mod-warning' : undefined}>
          <b>{event.reason}</b>
          <RelativeTime time={event.time} />
          <p dir="auto">{event.message}</p>
        </li>
      ))}
    </ol>
  );
}
