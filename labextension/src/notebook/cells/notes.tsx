import { closeIcon, ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { whyNot } from '../../model/actions';
import type { IProblem, IRun } from '../../model/types';
import type { IKubeflow } from '../../tokens';
import { KubeflowProvider, useKubeflow, useTrans } from '../../ui/context';
import { Button } from '../../ui/controls';
import { StateIcon } from '../../ui/state';
import { RelativeTime } from '../../ui/time';
import { fixLabel } from '../model/fixes';
import type { IFailure } from '../model/runs';
import { shortError } from '../model/runs';
import { SeverityIcon } from './severity';

/** What stands below a cell's code. */
export interface INotes {
  readonly problems: readonly IProblem[];
  readonly failure: IFailure | null;
  readonly run: IRun | null;
}

/** What the notes' buttons do. */
export interface INoteActions {
  readonly fix: (problem: IProblem) => void;
  readonly goTo: (problem: IProblem) => void;
  readonly dismiss: (failure: IFailure) => void;
}

/** Problems of a cell and the failure of the last run in it, in place. */
export class CellNotes extends ReactWidget {
  constructor(
    private readonly _kubeflow: IKubeflow,
    private readonly _actions: INoteActions
  ) {
    super();
    this.addClass('jk-Notes');
    this.node.setAttribute('role', 'group');
    this.node.setAttribute('aria-label', _kubeflow.trans.__('Pipeline notes of this cell'));
  }

  present(notes: INotes): void {
    this._notes = notes;
    this.update();
  }

  protected render(): JSX.Element {
    const { problems, failure, run } = this._notes;
    return (
      <KubeflowProvider value={this._kubeflow}>
        {problems.map(problem => (
          <ProblemRow
            key={`${problem.code} ${problem.line} ${problem.column} ${problem.message}`}
            problem={problem}
            onFix={this._actions.fix}
            onGoTo={this._actions.goTo}
          />
        ))}
        {failure && <FailureBox failure={failure} run={run} onDismiss={this._actions.dismiss} />}
      </KubeflowProvider>
    );
  }

  private _notes: INotes = { problems: [], failure: null, run: null };
}

/** One problem: how bad, the sentence, and the remedy as a button. */
export function ProblemRow(props: {
  problem: IProblem;
  /** Name the cell too, where the row does not stand at it. */
  withPlace?: boolean;
  onFix: (problem: IProblem) => void;
  onGoTo: (problem: IProblem) => void;
}): JSX.Element {
  const { problem } = props;
  const trans = useTrans();
  const label = fixLabel(problem, trans);
  const place = placeWords(problem, Boolean(props.withPlace), trans);
  return (
    <div className={`jk-Problem jk-mod-${problem.severity}`} role="note">
      <SeverityIcon severity={problem.severity} />
      <p className="jk-Problem-text">
        {place && (
          <>
            <button type="button" className="jk-Link" onClick={() => props.onGoTo(problem)}>
              {place}
            </button>
            {': '}
          </>
        )}
        <Prose text={sentence(problem.message, !place)} />
        {problem.remedy && (
          <span className="jk-Problem-remedy">
            {' '}
            <Prose text={problem.remedy} />
          </span>
        )}
      </p>
      {label && <Button label={label} onClick={() => props.onFix(problem)} />}
    </div>
  );
}

function placeWords(
  problem: IProblem,
  withCell: boolean,
  trans: ReturnType<typeof useTrans>
): string {
  if (!withCell) {
    return problem.line ? trans.__('Line %1', problem.line) : '';
  }
  if (!problem.cell) {
    return '';
  }
  return problem.line
    ? trans.__('Cell %1, line %2', problem.cell, problem.line)
    : trans.__('Cell %1', problem.cell);
}

/** With a full stop, and with a capital letter unless it starts with a name or goes on. */
function sentence(text: string, starts: boolean): string {
  const whole = /[.!?:]$/.test(text) ? text : `${text}.`;
  return starts && /^[a-z]+[ ,]/.test(whole)
    ? whole.charAt(0).toUpperCase() + whole.slice(1)
    : whole;
}

/** A sentence of the server, with names between quotation marks as code. */
export function Prose(props: { text: string }): JSX.Element {
  const parts = props.text.split(/(`[^`]+`|(?<!\w)'[\w.:%/-]+'(?!\w))/);
  return (
    <>
      {parts.map((part, index) =>
        index % 2 ? <code key={index}>{part.slice(1, -1)}</code> : part
      )}
    </>
  );
}

function FailureBox(props: {
  failure: IFailure;
  run: IRun | null;
  onDismiss: (failure: IFailure) => void;
}): JSX.Element {
  const { failure, run } = props;
  const { error } = failure;
  const trans = useTrans();
  const kubeflow = useKubeflow();
  const blocked = whyNot('resume', run) !== null;
  return (
    <section className="jk-Failure" aria-label={trans.__('The last run failed in this cell')}>
      <div className="jk-Failure-head">
        <StateIcon state="FAILED" />
        <strong className="jk-Failure-message">{shortError(error)}</strong>
        <Button
          label={trans.__('Hide this failure')}
          icon={closeIcon}
          iconOnly
          onClick={() => props.onDismiss(failure)}
        />
      </div>
      <p className="jk-Failure-where">
        {error.line
          ? trans.__('Step %1, line %2,', failure.step, error.line)
          : trans.__('Step %1,', failure.step)}{' '}
        <RelativeTime time={run?.status.completionTime} />.{' '}
        {error.hint && <Prose text={error.hint} />}
      </p>
      <div className="jk-Failure-actions">
        <Button
          label={trans.__('Open here')}
          kind="primary"
          title={trans.__('Load what the step was given into a live kernel')}
          onClick={() => kubeflow.openHere(failure.run, failure.step)}
        />
        <Button
          label={trans.__('Resume')}
          title={trans.__('Run again from the failed step; finished steps are kept')}
          disabled={blocked ? trans.__('The run goes on already.') : null}
          onClick={() => kubeflow.execute('kubeflow:resume-run', { name: failure.run })}
        />
        <Button
          label={trans.__('Show log')}
          onClick={() => kubeflow.openRun(failure.run, failure.step, 'log')}
        />
      </div>
      <Traceback failure={failure} />
    </section>
  );
}

function Traceback(props: { failure: IFailure }): JSX.Element | null {
  const { traceback, locals } = props.failure.error;
  const trans = useTrans();
  const values = Object.entries(locals ?? {});
  if (!traceback?.length && !values.length) {
    return null;
  }
  return (
    <details className="jk-Failure-details">
      <summary>{trans.__('Traceback and values')}</summary>
      {traceback && traceback.length > 0 && <pre tabIndex={0}>{traceback.join('\n')}</pre>}
      {values.length > 0 && (
        <table>
          <tbody>
            {values.map(([name, value]) => (
              <tr key={name}>
                <th scope="row">
                  <code>{name}</code>
                </th>
                <td>
                  <code>{value}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </details>
  );
}
