import * as React from 'react';

import { isFinished } from '../../model/states';
import type { IRun } from '../../model/types';
import { useFetched, useKubeflow } from '../../ui/context';
import { ErrorLine } from '../../ui/controls';
import { KubeflowError } from '../../model/errors';
import { StateIcon } from '../../ui/state';

interface IReport {
  run: string;
  identical: boolean;
  outputs: { step: string; name: string; identical: boolean; before: string; after: string }[];
  environment: string[];
}

/** Of a run that repeats another: which outputs came out the same, and what differs around them. */
export function Verdict(props: { run: IRun }): JSX.Element | null {
  const { run } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const repeats = run.spec.trigger === 'reproduce' && isFinished(run.status.phase);
  const path = `runs/${encodeURIComponent(run.metadata.name)}:report`;
  const { value, error } = useFetched(repeats ? path : null, signal =>
    kubeflow.request<IReport>(path, { method: 'POST', body: {}, signal })
  );
  if (!repeats || (error && KubeflowError.from(error).status === 404)) {
    return null;
  }
  if (error) {
    return <ErrorLine error={error} />;
  }
  if (!value) {
    return <p className="jk-Quiet">{trans.__('Comparing the outputs…')}</p>;
  }
  const different = value.outputs.filter(output => !output.identical);
  const same = value.outputs.length - different.length;
  return (
    <section aria-label={trans.__('Reproduction')} className="jk-Verdict">
      <h3>{trans.__('Reproduction')}</h3>
      <p>
        <StateIcon state={value.identical ? 'SUCCEEDED' : 'FAILED'} />{' '}
        {trans.__('%1 of %2 outputs are identical to those of', same, value.outputs.length)}{' '}
        <button type="button" className="jk-Link" onClick={() => void kubeflow.openRun(value.run)}>
          {value.run}
        </button>
      </p>
      {different.length > 0 && (
        <ul className="jk-Plain" aria-label={trans.__('Different outputs')}>
          {different.map(output => (
            <li key={`${output.step}.${output.name}`}>
              <button
                type="button"
                className="jk-Link"
                onClick={() => void kubeflow.openRun(run.metadata.name, output.step, 'values')}
              >
                {output.step}
              </button>{' '}
              <code dir="auto">{output.name}</code>{' '}
              <span className="jk-Muted" dir="auto">
                {output.before} → {output.after}
              </span>
            </li>
          ))}
        </ul>
      )}
      {value.environment.map(line => (
        <p key={line} className="jk-Muted">
          {line}
        </p>
      ))}
    </section>
  );
}
