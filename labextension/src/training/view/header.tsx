import { runIcon, stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { duration, number } from '../../format';
import { pauseIcon } from '../../icons';
import { isActive, knownState, tone } from '../../model/states';
import { useKubeflow } from '../../ui/context';
import { Button, CopyButton, InlineConfirm, Progress } from '../../ui/controls';
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
  const says = phase !== 'RUNNING' && phase !== 'SUCCEEDED' && phase !== 'FAILED';
  return (
    <div className="jk-Header">
      <div className="jk-Header-top">
        <StateBadge state={phase} reason={job.status.reason} />
        <h1 className="jk-Header-title" dir="auto" title={name}>
          {name}
        </h1>
        <CopyButton text={name} label={trans.__('Copy job name')} />
        <Actions job={job} />
      </div>
      {says && job.status.reason && <p className="jk-Header-reason">{job.status.reason}</p>}
      <Facts job={job} />
      <Chips job={job} />
      {isActive(phase) && (
        <Progress
          value={phase === 'RUNNING' ? progressOf(job) : (progressOf(job) ?? 0)}
          label={trans.__('Progress of %1', name)}
          tone={tone(phase)}
        />
      )}
    </div>
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
  if (asking) {
    return (
      <div className="jk-Header-actions">
        <InlineConfirm
          question={trans.__('Delete this job with its logs, curves and checkpoints?')}
          verb={trans.__('Delete')}
          onConfirm={() =>
            kubeflow.execute(TrainingCommandIDs.remove, { ...args, confirmed: true })
          }
          onCancel={() => setAsking(false)}
        />
      </div>
    );
  }
  return (
    <div className="jk-Header-actions" role="toolbar" aria-label={trans.__('Actions on this job')}>
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
    </div>
  );
}

function Facts(props: { job: ITrainJob }): JSX.Element {
  const { job } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [kind, owner] = (annotation(job, 'owner') ?? '').split('/');
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
      {owner && kubeflow.sections.view(kind) && (
        <li>
          <button type="button" className="jk-Link" onClick={() => void kubeflow.open(kind, owner)}>
            {trans.__('Part of %1', owner)}
          </button>
        </li>
      )}
    </ul>
  );
}

function Chips(props: { job: ITrainJob }): JSX.Element | null {
  const { trans } = useKubeflow();
  const given = Object.entries(argumentsOf(props.job));
  const metrics = Object.entries(metricsOf(props.job)).sort(([a], [b]) => byName(a, b));
  if (!given.length && !metrics.length) {
    return null;
  }
  return (
    <div className="jk-Chips">
      {given.length > 0 && (
        <ul aria-label={trans.__('Arguments')}>
          {given.slice(0, 12).map(([name, value]) => (
            <li key={name} title={`${name} = ${JSON.stringify(value)}`}>
              <span dir="auto">{name}</span>
              <b dir="auto">{typeof value === 'string' ? value : JSON.stringify(value)}</b>
            </li>
          ))}
        </ul>
      )}
      {metrics.length > 0 && (
        <ul className="jk-mod-metrics" aria-label={trans.__('Metrics')}>
          {metrics.slice(0, 12).map(([name, value]) => (
            <li key={name} title={`${name}: ${value}`}>
              <span dir="auto">{name}</span>
              <b>{number(value)}</b>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
