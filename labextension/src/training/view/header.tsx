import { runIcon, stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { duration } from '../../format';
import { pauseIcon } from '../../icons';
import { isActive, knownState, tone } from '../../model/states';
import { useKubeflow } from '../../ui/context';
import { Button, CopyButton, Progress } from '../../ui/controls';
import { Chips, HeaderActions, metricChips, PartOf, ViewHeader } from '../../ui/header';
import { StateBadge } from '../../ui/state';
import { Elapsed, RelativeTime } from '../../ui/time';
import { jobWhyNotText, TrainingCommandIDs } from '../commands';
import type { JobAction } from '../model/job';
import {
  annotation,
  argumentsOf,
  byName,
  jobWhyNot,
  metricsOf,
  progressOf,
  remaining,
  shape
} from '../model/job';
import type { ITrainJob } from '../model/types';

/** What trains, how far it is, and what can be done with it. */
export function JobHeader(props: { job: ITrainJob }): JSX.Element {
  const { job } = props;
  const { trans } = useKubeflow();
  const phase = knownState(job.status.phase);
  const { name } = job.metadata;
  const metrics = Object.entries(metricsOf(job)).sort(([a], [b]) => byName(a, b));
  const says = phase !== 'RUNNING' && phase !== 'SUCCEEDED' && phase !== 'FAILED';
  return (
    <ViewHeader
      mark={<StateBadge state={phase} reason={job.status.reason} />}
      title={name}
      id={<CopyButton text={name} label={trans.__('Copy job name')} />}
      actions={<Actions job={job} />}
      reason={says && job.status.reason}
    >
      <Facts job={job} />
      <Chips
        groups={[
          {
            label: trans.__('Arguments'),
            chips: Object.entries(argumentsOf(job)).map(([name, value]) => ({
              name,
              text: typeof value === 'string' ? value : JSON.stringify(value),
              title: `${name} = ${JSON.stringify(value)}`
            }))
          },
          metricChips(metrics, trans)
        ]}
      />
      {isActive(phase) && (
        <Progress
          value={phase === 'RUNNING' ? progressOf(job) : (progressOf(job) ?? 0)}
          label={trans.__('Progress of %1', name)}
          tone={tone(phase)}
        />
      )}
    </ViewHeader>
  );
}

function Actions(props: { job: ITrainJob }): JSX.Element {
  const { job } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [asking, setAsking] = React.useState(false);
  const { name } = job.metadata;
  const args = { name, kind: job.kind };
  const phase = knownState(job.status.phase);
  const why = (action: JobAction) => {
    const found = jobWhyNot(action, job);
    return found && jobWhyNotText(found, trans);
  };
  return (
    <HeaderActions
      label={trans.__('Actions on this job')}
      onAnswered={() => setAsking(false)}
      asked={
        asking && {
          question: trans.__('Delete this job with its logs, curves and checkpoints?'),
          verb: trans.__('Delete'),
          confirm: () => kubeflow.execute(TrainingCommandIDs.remove, { ...args, confirmed: true })
        }
      }
    >
      {isActive(phase) && (
        <Button
          label={trans.__('Stop')}
          icon={stopIcon}
          disabled={why('stop')}
          onClick={() => kubeflow.execute(TrainingCommandIDs.stop, args)}
        />
      )}
      {isActive(phase) && phase !== 'PAUSED' && (
        <Button
          label={trans.__('Suspend')}
          icon={pauseIcon}
          title={trans.__('Give back what it holds; it goes on later from its last checkpoint')}
          disabled={why('suspend')}
          onClick={() => kubeflow.execute(TrainingCommandIDs.suspend, args)}
        />
      )}
      {phase !== 'FAILED' && jobWhyNot('resume', job) === null && (
        <Button
          label={trans.__('Resume')}
          icon={runIcon}
          kind="primary"
          title={trans.__('Go on from the last checkpoint')}
          onClick={() => kubeflow.execute(TrainingCommandIDs.resume, args)}
        />
      )}
      <Button
        label={trans.__('Export YAML')}
        title={trans.__('As a cluster takes it')}
        onClick={() => kubeflow.execute(TrainingCommandIDs.exportYaml, args)}
      />
      <Button
        label={trans.__('Copy as code')}
        onClick={() => kubeflow.execute(TrainingCommandIDs.copyCode, args)}
      />
      <Button label={trans.__('Delete')} disabled={why('delete')} onClick={() => setAsking(true)} />
    </HeaderActions>
  );
}

function Facts(props: { job: ITrainJob }): JSX.Element {
  const { job } = props;
  const { trans } = useKubeflow();
  const left = remaining(job);
  return (
    <ul className="jk-FactLine" aria-label={trans.__('Facts of this job')}>
      <li>
        <RelativeTime time={job.status.startTime ?? job.metadata.creationTimestamp} />
      </li>
      <li>
        <Elapsed
          start={job.status.startTime}
          end={job.status.completionTime}
          seconds={job.status.seconds}
        />
      </li>
      {left !== null && <li>{trans.__('about %1 left', duration(left))}</li>}
      <li>{shape(job)}</li>
      {job.kind !== 'TrainJob' && <li>{job.kind}</li>}
      <PartOf owner={annotation(job, 'owner')} />
    </ul>
  );
}
