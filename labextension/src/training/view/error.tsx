import * as React from 'react';

import { useKubeflow } from '../../ui/context';
import { Button } from '../../ui/controls';
import { Failure } from '../../ui/failure';
import { TrainingCommandIDs } from '../commands';
import { jobWhyNot } from '../model/job';
import type { ITrainJob } from '../model/types';

/** Which rank failed, where and why, and the ways on. */
export function JobError(props: {
  job: ITrainJob;
  onShowLog: (part: string) => void;
}): JSX.Element | null {
  const { job } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  if (job.status.phase !== 'FAILED') {
    return null;
  }
  const error = job.status.error ?? null;
  const rank = error?.rank;
  return (
    <Failure
      error={error}
      reason={job.status.reason || trans.__('The job failed.')}
      who={typeof rank === 'number' ? trans.__('Rank %1', rank) : null}
    >
      <Button
        label={trans.__('Show log')}
        onClick={() => props.onShowLog(typeof rank === 'number' ? `rank-${rank}` : '')}
      />
      {jobWhyNot('resume', job) === null && (
        <Button
          label={trans.__('Resume')}
          title={trans.__('Start again from the last checkpoint')}
          onClick={() =>
            kubeflow.execute(TrainingCommandIDs.resume, {
              name: job.metadata.name,
              kind: job.kind
            })
          }
        />
      )}
    </Failure>
  );
}
