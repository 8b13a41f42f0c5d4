import * as React from 'react';

import { useKubeflow } from '../../ui/context';
import { Button, ErrorLine, InlineConfirm } from '../../ui/controls';
import { RelativeTime } from '../../ui/time';
import { ask } from '../commands';
import { rollbackText } from '../model/changes';
import { splitOf, splitText } from '../model/endpoint';
import type { IEndpoint, IRevision } from '../model/types';
import { usePolled } from '../../ui/polled';
import type { IPaneProps } from './view';

/** What was changed, by whom and why, newest first; and the way back. */
export function RevisionsPane(props: IPaneProps): JSX.Element {
  const { item } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { uid, resourceVersion } = item.metadata;
  const { value, error, reload } = usePolled(`${uid}@${resourceVersion}`, 0, signal =>
    ask<{ items: IRevision[] }>(kubeflow, item.metadata.name, 'revisions', {}, signal)
  );
  const revisions = value?.items ?? [...(item.status.revisions ?? [])].reverse();
  const current = revisions.find(revision => revision.current) ?? revisions[0];
  if (!revisions.length) {
    return error ? (
      <ErrorLine error={error} onRetry={reload} />
    ) : (
      <p className="jk-Quiet">{value ? trans.__('No revision yet.') : trans.__('Loading…')}</p>
    );
  }
  return (
    <div
      className="jk-ScrollX"
      tabIndex={0}
      role="group"
      aria-label={trans.__('Table of revisions')}
    >
      <table className="jk-Table jk-Revisions">
        <caption className="jk-visuallyHidden">{trans.__('Revisions of this endpoint')}</caption>
        <thead>
          <tr>
            <th scope="col">{trans.__('Revision')}</th>
            <th scope="col">{trans.__('What changed')}</th>
            <th scope="col">{trans.__('Traffic')}</th>
            <th scope="col">{trans.__('Who')}</th>
            <th scope="col">{trans.__('When')}</th>
            <th scope="col">
              <span className="jk-visuallyHidden">{trans.__('Actions')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {revisions.map(revision => (
            <Row
              key={revision.number}
              item={item}
              revision={revision}
              current={revision === current}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row(props: { item: IEndpoint; revision: IRevision; current: boolean }): JSX.Element {
  const { item, revision, current } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [asking, setAsking] = React.useState(false);
  const [error, setError] = React.useState<unknown>(null);
  const traffic = Object.entries(revision.traffic ?? {}).map(([name, percent]) => ({
    name,
    percent
  }));
  const back = async () => {
    try {
      await ask(kubeflow, item.metadata.name, 'rollback', { revision: revision.number });
      setAsking(false);
      setError(null);
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <tr data-revision={revision.number} className={current ? 'jk-mod-current' : undefined}>
      <th scope="row">{revision.number}</th>
      <td>
        <span dir="auto">{revision.what}</span>
        {revision.why && (
          <p className="jk-Variants-reason" dir="auto">
            {revision.why}
          </p>
        )}
        {asking && (
          <InlineConfirm
            question={rollbackText(splitOf(item), revision, trans)}
            verb={trans.__('Roll back')}
            onConfirm={back}
            onCancel={() => setAsking(false)}
          />
        )}
        {error ? <ErrorLine error={error} /> : null}
      </td>
      <td dir="auto">{traffic.length ? splitText(traffic) : '–'}</td>
      <td dir="auto">{revision.by || '–'}</td>
      <td>
        <RelativeTime time={revision.time} />
      </td>
      <td>
        {current ? (
          <span className="jk-Count">{trans.__('now')}</span>
        ) : (
          !asking && (
            <Button
              label={trans.__('Roll back')}
              title={trans.__('Roll back to revision %1', revision.number)}
              onClick={() => setAsking(true)}
            />
          )
        )}
      </td>
    </tr>
  );
}
