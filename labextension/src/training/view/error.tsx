import * as React from 'react';

import { useKubeflow } from '../../ui/context';
import { Button, CopyButton } from '../../ui/controls';
import { StateIcon } from '../../ui/state';
import { TrainingCommandIDs } from '../commands';
import { jobWhyNot, traceback } from '../model/job';
import type { IJobError, ITrainJob } from '../model/types';

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
  const message = error?.message || job.status.reason || trans.__('The job failed.');
  const named = error?.type && !message.startsWith(error.type);
  const text = traceback(error);
  const rank = error?.rank;
  return (
    <section className="jk-Banner" aria-label={trans.__('Error')}>
      <StateIcon state="FAILED" size={20} />
      <div className="jk-Banner-text">
        <p className="jk-Banner-message" dir="auto">
          {named && <strong>{error?.type}: </strong>}
          {message}
        </p>
        <p className="jk-Banner-place">
          <Place error={error} job={job} />
          {error?.hint && !message.includes(error.hint) && <> {error.hint}</>}
        </p>
        {text && (
          <details className="jk-Traceback">
            <summary>{trans.__('Traceback')}</summary>
            <div className="jk-Code">
              <pre tabIndex={0}>{text}</pre>
              <CopyButton text={text} label={trans.__('Copy traceback')} />
            </div>
          </details>
        )}
      </div>
      <div className="jk-Banner-actions" role="toolbar" aria-label={trans.__('What to do')}>
        <GoThere error={error} />
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
      </div>
    </section>
  );
}

/** The way to the line that failed, where it is in an open notebook or a file of the server. */
function GoThere(props: { error: IJobError | null }): JSX.Element | null {
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { cellId, file, line } = props.error ?? {};
  const path = kubeflow.whereIs({ cellId, file });
  if (!path) {
    return null;
  }
  return cellId ? (
    <Button
      label={trans.__('Go to cell')}
      kind="primary"
      onClick={() => kubeflow.goToCell(path, { id: cellId }, line)}
    />
  ) : (
    <Button
      label={trans.__('Open file')}
      title={path}
      kind="primary"
      onClick={() => kubeflow.goToFile(path, line)}
    />
  );
}

/** `Rank 1, train.py line 12.` */
function Place(props: { error: IJobError | null; job: ITrainJob }): JSX.Element {
  const { trans } = useKubeflow();
  const { error, job } = props;
  // What was typed has no file, only a name in brackets.
  const file = error?.file?.startsWith('<') ? undefined : error?.file?.split('/').pop();
  const reason = job.status.reason ?? '';
  const parts: string[] = [];
  if (typeof error?.rank === 'number') {
    parts.push(trans.__('Rank %1', error.rank));
  }
  if (error?.label) {
    parts.push(error.label);
  } else if (error?.cell !== null && error?.cell !== undefined) {
    parts.push(trans.__('cell %1', error.cell));
  } else if (file) {
    parts.push(file);
  }
  if (error?.line) {
    parts.push(trans.__('line %1', error.line));
  }
  const said = error && reason && !reason.includes(error.message) ? reason : '';
  return (
    <>
      {parts.length > 0 && `${parts.join(', ')}. `}
      {said}
    </>
  );
}
