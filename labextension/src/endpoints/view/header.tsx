import { runIcon, stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { useKubeflow } from '../../ui/context';
import { Button, CopyButton } from '../../ui/controls';
import { HeaderActions, ViewHeader } from '../../ui/header';
import { RelativeTime } from '../../ui/time';
import { ENDPOINT, EndpointCommands } from '../commands';
import type { EndpointAction } from '../model/endpoint';
import {
  failedVariant,
  healthOf,
  isStopped,
  stickyOf,
  urlOf,
  variantsOf,
  whyNot
} from '../model/endpoint';
import { stickyWords } from '../model/changes';
import type { IEndpoint } from '../model/types';
import { HealthMark } from './marks';

/** What it is called, where it is, how it stands, and what can be done with it. */
export function EndpointHeader(props: { item: IEndpoint; gone: boolean }): JSX.Element {
  const { item } = props;
  const { trans } = useKubeflow();
  const { name } = item.metadata;
  const url = urlOf(item);
  // What failed is told in full below.
  const says = item.status.reason && healthOf(item) !== 'serving' && !failedVariant(item);
  return (
    <ViewHeader
      mark={<HealthMark item={item} />}
      title={name}
      id={
        <span className="jk-Header-id">
          {url ? (
            <>
              <code title={url}>{url}</code>
              <CopyButton text={url} label={trans.__('Copy address')} />
            </>
          ) : (
            trans.__('No address yet')
          )}
        </span>
      }
      actions={!props.gone && <Actions item={item} />}
      reason={says && item.status.reason}
      live
    >
      <Facts item={item} />
    </ViewHeader>
  );
}

function Facts(props: { item: IEndpoint }): JSX.Element {
  const { item } = props;
  const { trans } = useKubeflow();
  const count = variantsOf(item).length;
  const sticky = stickyOf(item);
  const current = item.status.revisions?.find(revision => revision.current);
  const last = item.status.revisions?.reduce(
    (most, revision) => Math.max(most, revision.number),
    0
  );
  const revision = current?.number ?? last;
  return (
    <ul className="jk-FactLine" aria-label={trans.__('Facts of this endpoint')}>
      <li>
        {trans.__('since')} <RelativeTime time={item.metadata.creationTimestamp} />
      </li>
      <li>{trans._n('%1 variant', '%1 variants', count)}</li>
      {revision ? <li>{trans.__('revision %1', revision)}</li> : null}
      {sticky && <li dir="auto">{trans.__('sticky by %1', stickyWords(sticky, trans))}</li>}
    </ul>
  );
}

function Actions(props: { item: IEndpoint }): JSX.Element {
  const { item } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [asking, setAsking] = React.useState<'stop' | 'delete' | null>(null);
  const { name } = item.metadata;
  const args = { name, kind: ENDPOINT };
  const why = (action: EndpointAction) => whyNot(action, item, trans);
  const questions = {
    stop: {
      question: trans.__('Stop it? Requests are refused until it is started again.'),
      verb: trans.__('Stop'),
      command: EndpointCommands.stop
    },
    delete: {
      question: trans.__('Delete %1 with its request log and measurements?', name),
      verb: trans.__('Delete'),
      command: EndpointCommands.remove
    }
  };
  const question = asking && questions[asking];
  return (
    <HeaderActions
      label={trans.__('Actions on this endpoint')}
      onAnswered={() => setAsking(null)}
      asked={
        question && {
          ...question,
          confirm: async () => {
            await kubeflow.execute(question.command, { ...args, confirmed: true });
            setAsking(null);
          }
        }
      }
    >
      {isStopped(item) ? (
        <Button
          label={trans.__('Start')}
          icon={runIcon}
          kind="primary"
          disabled={why('start')}
          onClick={() => kubeflow.execute(EndpointCommands.start, args)}
        />
      ) : (
        <Button
          label={trans.__('Stop')}
          icon={stopIcon}
          disabled={why('stop')}
          onClick={() => setAsking('stop')}
        />
      )}
      <Button
        label={trans.__('Export YAML')}
        title={trans.__('As a cluster takes it')}
        onClick={() => kubeflow.execute(EndpointCommands.exportYaml, args)}
      />
      <Button
        label={trans.__('Copy as code')}
        onClick={() => kubeflow.execute(EndpointCommands.copyCode, args)}
      />
      <Button label={trans.__('Delete')} onClick={() => setAsking('delete')} />
    </HeaderActions>
  );
}
