import * as React from 'react';

import type { IFailure } from '../model/failure';
import { traceback } from '../model/failure';
import { useKubeflow } from './context';
import { Button, CopyButton } from './controls';
import { StateIcon } from './state';

/** Why it failed, where, and the ways on: to the place in the code, and what the view adds. */
export function Failure(props: {
  error: IFailure | null;
  /** Said where the error says nothing. */
  reason: string;
  /** Before the place in the code: *Rank 1*. */
  who?: string | null;
  /** More ways on, as buttons. */
  children?: React.ReactNode;
}): JSX.Element {
  const { error, reason } = props;
  const { trans } = useKubeflow();
  const message = error?.message || reason;
  const text = traceback(error);
  const place = placeOf(props, trans);
  const said = error && reason && !reason.includes(error.message) ? reason : '';
  return (
    <Banner
      type={error?.type}
      message={message}
      hint={error?.hint}
      place={
        <>
          {place && `${place}. `}
          {said}
        </>
      }
      traceback={
        text && (
          <details className="jk-Traceback">
            <summary>{trans.__('Traceback')}</summary>
            <TracebackText text={text} />
          </details>
        )
      }
    >
      <GoThere error={error} />
      {props.children}
    </Banner>
  );
}

/** The frame of what failed. `type`: of the exception; `place`: where, and what else is said; then the ways on. */
export function Banner(props: {
  type: string | null | undefined;
  message: string;
  hint: string | null | undefined;
  place: React.ReactNode;
  traceback: React.ReactNode;
  children: React.ReactNode;
}): JSX.Element {
  const { type, message, hint } = props;
  const { trans } = useKubeflow();
  return (
    <section className="jk-Banner" aria-label={trans.__('Error')}>
      <StateIcon state="FAILED" size={20} />
      <div className="jk-Banner-text">
        <p className="jk-Banner-message" dir="auto">
          {type && !message.startsWith(type) && <strong>{type}: </strong>}
          {message}
        </p>
        <p className="jk-Banner-place">
          {props.place}
          {hint && !message.includes(hint) && <> {hint}</>}
        </p>
        {props.traceback}
      </div>
      <div className="jk-Banner-actions" role="toolbar" aria-label={trans.__('What to do')}>
        {props.children}
      </div>
    </section>
  );
}

/** A traceback, to read and to copy. */
export function TracebackText(props: { text: string }): JSX.Element {
  const { trans } = useKubeflow();
  return (
    <div className="jk-Code">
      <pre tabIndex={0}>{props.text}</pre>
      <CopyButton text={props.text} label={trans.__('Copy traceback')} />
    </div>
  );
}

/** `Rank 1, train.py, line 12` */
function placeOf(
  props: { error: IFailure | null; who?: string | null },
  trans: ReturnType<typeof useKubeflow>['trans']
): string {
  const { error, who } = props;
  // What was typed has no file, only a name in brackets.
  const file = error?.file?.startsWith('<') ? undefined : error?.file?.split('/').pop();
  const cell = error?.cell;
  const known = cell !== null && cell !== undefined;
  const where = error?.label || (known ? trans.__('cell %1', cell) : file);
  const line = error?.line ? trans.__('line %1', error.line) : '';
  const text = [who, where, line].filter(Boolean).join(', ');
  return text.charAt(0).toLocaleUpperCase() + text.slice(1);
}

/** The way to the line that failed, where it is in an open notebook or a file of the server. */
function GoThere(props: { error: IFailure | null }): JSX.Element | null {
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
