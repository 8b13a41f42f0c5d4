import * as React from 'react';

import type { IRun, IStepError } from '../../model/types';
import { isCompiled, whyNot } from '../../model/actions';
import { CommandIDs } from '../../tokens';
import { useKubeflow } from '../../ui/context';
import { Button } from '../../ui/controls';
import { Banner, TracebackText } from '../../ui/failure';
import { whyNotText } from '../words';

/** Which step failed, as far as the run tells. */
export function failedStep(run: IRun): string | null {
  const failed = (run.status.steps ?? []).filter(step => step.state === 'FAILED');
  const named = run.status.error?.step ?? failed[0]?.name;
  // Of a step in a loop it is an iteration that failed.
  const inLoop = isCompiled(run) && failed.find(step => step.parent === named);
  return (inLoop ? inLoop.name : named) ?? null;
}

/** Whether a step of a compiled pipeline was begun, so that it was given something. */
export function canOpen(run: IRun, step: string): boolean {
  const steps = run.status.steps ?? [];
  return steps.some(each => (each.name === step || each.parent === step) && each.inputDigest);
}

/** Why the run failed, where, and the three ways on. */
export function ErrorBanner(props: {
  run: IRun;
  onShowLog: (step: string) => void;
}): JSX.Element | null {
  const { run } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  if (run.status.phase !== 'FAILED') {
    return null;
  }
  const step = failedStep(run);
  const error =
    run.status.error ?? run.status.steps?.find(status => status.name === step)?.error ?? null;
  const message = error?.message || run.status.reason || trans.__('The run failed.');
  const path = run.spec.pipeline?.path;
  const why = whyNot('resume', run);
  const { name } = run.metadata;
  return (
    <Banner
      type={error?.type}
      message={message}
      hint={error?.hint}
      place={<Place error={error} step={step} />}
      traceback={<Traceback error={error} />}
    >
      {path && error?.cell && (
        <Button
          label={trans.__('Go to cell')}
          kind="primary"
          onClick={() =>
            kubeflow.goToCell(path, { id: error.cellId, index: error.cell }, error.line)
          }
        />
      )}
      {step && (!isCompiled(run) || canOpen(run, step)) && (
        <Button
          label={trans.__('Open here')}
          title={trans.__('A live kernel with everything this step was given')}
          onClick={() => kubeflow.openHere(name, step)}
        />
      )}
      <Button
        label={trans.__('Resume')}
        title={
          isCompiled(run)
            ? trans.__('Run again from the failed step; what had succeeded stays')
            : trans.__('Run again from the failed step, with the notebook as it is now')
        }
        disabled={why && whyNotText(why, trans)}
        onClick={() => kubeflow.execute(CommandIDs.resumeRun, { name, show: true })}
      />
      {step && <Button label={trans.__('Show log')} onClick={() => props.onShowLog(step)} />}
    </Banner>
  );
}

export function Place(props: { error: IStepError | null; step: string | null }): JSX.Element {
  const { trans } = useKubeflow();
  const { error, step } = props;
  if (error?.cell && error.line && step) {
    return <>{trans.__('Cell %1, line %2, in step “%3”.', error.cell, error.line, step)}</>;
  }
  if (error?.cell && step) {
    return <>{trans.__('Cell %1, in step “%2”.', error.cell, step)}</>;
  }
  return <>{step ? trans.__('In step “%1”.', step) : ''}</>;
}

function Traceback(props: { error: IStepError | null }): JSX.Element | null {
  const { trans } = useKubeflow();
  const { error } = props;
  const lines = error?.traceback ?? [];
  const locals = Object.entries(error?.locals ?? {});
  if (!lines.length && !locals.length) {
    return null;
  }
  const text = lines.join('\n');
  return (
    <details className="jk-Traceback">
      <summary>{trans.__('Traceback and values')}</summary>
      {text && <TracebackText text={text} />}
      {locals.length > 0 && (
        <dl className="jk-Facts jk-mod-code">
          {locals.map(([name, value]) => (
            <React.Fragment key={name}>
              <dt>{name}</dt>
              <dd dir="auto">{value}</dd>
            </React.Fragment>
          ))}
        </dl>
      )}
    </details>
  );
}
