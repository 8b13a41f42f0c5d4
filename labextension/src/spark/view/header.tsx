import { launchIcon, stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { bytes } from '../../format';
import { isActive, knownState, tone } from '../../model/states';
import { useKubeflow } from '../../ui/context';
import { Button, CopyButton, Progress } from '../../ui/controls';
import { HeaderActions, PartOf, ViewHeader } from '../../ui/header';
import { StateBadge } from '../../ui/state';
import { Elapsed, RelativeTime } from '../../ui/time';
import { SparkCommandIDs } from '../commands';
import type { SparkAction } from '../model/app';
import { annotation, askedOf, isIdle, isSession, program, scheduleOf, whyNot } from '../model/app';
import { leased } from '../model/memory';
import type { ISpark } from '../model/types';

/** What runs, how far it is, what it holds, and what can be done with it. */
export function SparkHeader(props: { app: ISpark; gone: boolean }): JSX.Element {
  const { app, gone } = props;
  const { trans } = useKubeflow();
  const phase = knownState(app.status.phase);
  const { name } = app.metadata;
  const says = phase !== 'SUCCEEDED' && phase !== 'FAILED' && app.status.reason;
  return (
    <ViewHeader
      mark={<StateBadge state={phase} reason={app.status.reason} />}
      title={name}
      id={<CopyButton text={name} label={trans.__('Copy name')} />}
      actions={!gone && <Actions app={app} />}
      reason={says}
    >
      <Facts app={app} />
      {isActive(phase) && !isIdle(app) && (
        <Progress
          value={phase === 'RUNNING' ? (app.status.progress ?? null) : 0}
          label={trans.__('Progress of %1', name)}
          tone={tone(phase)}
        />
      )}
    </ViewHeader>
  );
}

function Actions(props: { app: ISpark }): JSX.Element {
  const { app } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [asking, setAsking] = React.useState(false);
  const ids = SparkCommandIDs;
  const args = { name: app.metadata.name, kind: app.kind };
  const session = isSession(app);
  const why = (action: SparkAction) => whyNot(action, app, trans);
  const stopsWhat = session
    ? trans.__('End the session: its views and cached tables go, and what it holds is given back')
    : undefined;
  return (
    <HeaderActions
      label={trans.__('Actions')}
      onAnswered={() => setAsking(false)}
      asked={
        asking && {
          question: trans.__('Delete it with its log and its event log?'),
          verb: trans.__('Delete'),
          confirm: () => kubeflow.execute(ids.remove, { ...args, confirmed: true })
        }
      }
    >
      {isActive(app.status.phase) && (
        <Button
          label={trans.__('Stop')}
          icon={stopIcon}
          title={stopsWhat}
          disabled={why('stop')}
          onClick={() => kubeflow.execute(ids.stop, args)}
        />
      )}
      <Button
        label={trans.__('Spark UI')}
        icon={launchIcon}
        title={trans.__('Spark’s own pages, in a new tab')}
        disabled={why('ui')}
        onClick={() => kubeflow.execute(ids.openUi, args)}
      />
      {session && isActive(app.status.phase) && (
        <Button
          label={trans.__('Use in notebook')}
          title={trans.__('Insert a cell that opens this session')}
          disabled={kubeflow.whyNot(ids.insert)}
          onClick={() => kubeflow.execute(ids.insert, { name: app.metadata.name })}
        />
      )}
      <Button
        label={trans.__('Export YAML')}
        title={trans.__('As a cluster takes it')}
        onClick={() => kubeflow.execute(ids.exportYaml, args)}
      />
      <Button
        label={trans.__('Copy as code')}
        onClick={() => kubeflow.execute(ids.copyCode, args)}
      />
      <Button label={trans.__('Delete')} disabled={why('delete')} onClick={() => setAsking(true)} />
    </HeaderActions>
  );
}

function Facts(props: { app: ISpark }): JSX.Element {
  const { app } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { status, metadata } = app;
  const asked = askedOf(app);
  const { cores, memory } = leased(asked);
  const schedule = scheduleOf(app);
  const waits = status.phase === 'PENDING';
  const size = [trans._n('%1 core', '%1 cores', cores), bytes(memory)].join(', ');
  return (
    <ul className="jk-FactLine" aria-label={trans.__('Facts')}>
      <li>{isSession(app) ? trans.__('Session') : trans.__('Application')}</li>
      <li>
        <RelativeTime time={status.startTime ?? metadata.creationTimestamp} />
      </li>
      <li>
        <Elapsed start={status.startTime} end={status.completionTime} seconds={status.seconds} />
      </li>
      <li>{trans._n('%1 executor', '%1 executors', asked.executors)}</li>
      <li title={trans.__('Of driver and executors, heap and what the JVM needs beside it')}>
        {!isActive(status.phase)
          ? trans.__('held %1', size)
          : waits
            ? trans.__('asks for %1', size)
            : trans.__('holds %1', size)}
      </li>
      {program(app) && (
        <li>
          <code dir="auto">{program(app)}</code>
        </li>
      )}
      {(status.attempt ?? 1) > 1 && <li>{trans.__('attempt %1', status.attempt)}</li>}
      <PartOf owner={annotation(app, 'owner')} />
      {schedule && (
        <li>
          <button
            type="button"
            className="jk-Link"
            onClick={() => void kubeflow.openTable('spark', `schedule=${schedule}`)}
          >
            {trans.__('Started by %1', schedule)}
          </button>
        </li>
      )}
    </ul>
  );
}
