import * as React from 'react';

import { bytes, number } from '../../format';
import { isFinished } from '../../model/states';
import { useKubeflow } from '../../ui/context';
import { onListKeys } from '../../ui/controls';
import { StateBadge } from '../../ui/state';
import { Elapsed } from '../../ui/time';
import { executorsOf, executorState } from '../model/app';
import type { IExecutor, ISpark } from '../model/types';
import type { IPaneProps } from './view';
import { logParts } from './view';

/** Every executor: how it stands, what it has done, and what became of those that were lost. */
export function Executors(props: IPaneProps): JSX.Element {
  const { app, onPlace } = props;
  const { trans } = useKubeflow();
  const executors = executorsOf(app);
  if (!executors.length) {
    return (
      <p className="jk-Quiet">
        {isFinished(app.status.phase)
          ? trans.__('It came to no executor.')
          : trans.__('Executors are listed as soon as the driver runs.')}
      </p>
    );
  }
  const lost = executors.filter(each => executorState(each, app) === 'FAILED');
  const logs = new Set(logParts(app));
  return (
    <>
      {lost.length > 0 && !isFinished(app.status.phase) && (
        <p className="jk-Executors-lost" role="status">
          {trans._n(
            'An executor was lost. Another takes its place, and its tasks run again.',
            '%1 executors were lost. Others take their place, and their tasks run again.',
            lost.length
          )}
        </p>
      )}
      <div className="jk-ScrollX">
        <table className="jk-Table jk-Ranks" onKeyDown={onListKeys}>
          <caption className="jk-visuallyHidden">{trans.__('Driver and executors')}</caption>
          <thead>
            <tr>
              <th scope="col">{trans.__('Executor')}</th>
              <th scope="col">{trans.__('State')}</th>
              <th scope="col">{trans.__('Cores')}</th>
              <th scope="col">{trans.__('Memory')}</th>
              <th scope="col">{trans.__('Tasks')}</th>
              <th scope="col">{trans.__('Up')}</th>
            </tr>
          </thead>
          <tbody>
            {executors.map(each => (
              <Row
                key={each.id}
                executor={each}
                app={app}
                hasLog={logs.has(partOf(each))}
                onLog={() => onPlace({ tab: 'log', part: partOf(each) })}
              />
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function partOf({ id }: IExecutor): string {
  return id === 'driver' ? id : `executor-${id}`;
}

function Row(props: {
  executor: IExecutor;
  app: ISpark;
  hasLog: boolean;
  onLog: () => void;
}): JSX.Element {
  const { executor, app } = props;
  const { trans } = useKubeflow();
  const state = executorState(executor, app);
  const name = executor.id === 'driver' ? trans.__('Driver') : trans.__('Executor %1', executor.id);
  const { active, done, failed } = executor;
  return (
    <tr data-executor={executor.id} data-state={state}>
      <th scope="row">
        {props.hasLog ? (
          <button
            type="button"
            data-row=""
            className="jk-Link"
            title={trans.__('Show its log')}
            onClick={props.onLog}
          >
            {name}
          </button>
        ) : (
          name
        )}
      </th>
      <td>
        <StateBadge state={state} reason={executor.reason ?? undefined} />
        {executor.reason && <p className="jk-Ranks-reason">{executor.reason}</p>}
      </td>
      <td className="jk-Number">{executor.cores || '–'}</td>
      <td className="jk-Number">{bytes(executor.memory)}</td>
      <td className="jk-Number">
        {done === undefined ? '–' : number(done)}
        {active ? <> {trans.__('+ %1 running', active)}</> : null}
        {failed ? <b className="jk-tone-bad"> {trans.__('%1 failed', failed)}</b> : null}
      </td>
      <td className="jk-Number">
        <Elapsed start={executor.addedAt} end={executor.removedAt ?? app.status.completionTime} />
      </td>
    </tr>
  );
}
