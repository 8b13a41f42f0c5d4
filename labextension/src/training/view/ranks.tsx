import * as React from 'react';

import { useKubeflow } from '../../ui/context';
import { onListKeys } from '../../ui/controls';
import { StateBadge } from '../../ui/state';
import { Elapsed } from '../../ui/time';
import { partOf, ranksOf, rankState } from '../model/job';
import type { ITrainJob } from '../model/types';
import { rankName } from './view';

/** Every process of the job: where it is, how it stands, and the way to its log. */
export function Ranks(props: { job: ITrainJob; onLog: (part: string) => void }): JSX.Element {
  const { job } = props;
  const { trans } = useKubeflow();
  const ranks = ranksOf(job);
  if (!ranks.length) {
    return <p className="jk-Quiet">{trans.__('No process of this job was started.')}</p>;
  }
  const pods = ranks.some(rank => rank.pod);
  const attempts = ranks.some(rank => (rank.attempt ?? 1) > 1);
  return (
    <div className="jk-ScrollX">
      <table className="jk-Table jk-Ranks" onKeyDown={onListKeys}>
        <caption className="jk-visuallyHidden">{trans.__('Ranks of this job')}</caption>
        <thead>
          <tr>
            <th scope="col">{trans.__('Rank')}</th>
            <th scope="col">{trans.__('State')}</th>
            <th scope="col">{trans.__('Node')}</th>
            <th scope="col">{trans.__('Duration')}</th>
            {attempts && <th scope="col">{trans.__('Attempt')}</th>}
            <th scope="col">{pods ? trans.__('Pod') : trans.__('Process')}</th>
          </tr>
        </thead>
        <tbody>
          {ranks.map(rank => (
            <tr key={partOf(rank)} data-rank={rank.rank} data-state={rankState(rank)}>
              <th scope="row">
                <button
                  type="button"
                  data-row=""
                  className="jk-Link"
                  title={trans.__('Show the log of this rank')}
                  onClick={() => props.onLog(partOf(rank))}
                >
                  {rankName(rank.rank, rank.role, trans)}
                </button>
              </th>
              <td>
                <StateBadge state={rankState(rank)} reason={rank.reason} />
                {rank.reason && rank.reason !== job.status.reason && (
                  <p className="jk-Ranks-reason">{rank.reason}</p>
                )}
              </td>
              <td className="jk-Number">{rank.node ?? '–'}</td>
              <td className="jk-Number">
                <Elapsed start={rank.startedAt} end={rank.finishedAt} seconds={rank.seconds} />
              </td>
              {attempts && <td className="jk-Number">{rank.attempt ?? 1}</td>}
              <td className={pods ? undefined : 'jk-Number'}>{rank.pod ?? rank.pid ?? '–'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
