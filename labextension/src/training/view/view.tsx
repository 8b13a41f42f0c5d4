import * as React from 'react';

import type { IResourceWatch } from '../../model/resources';
import { pluralOf } from '../../model/kinds';
import { useKubeflow, useSignal } from '../../ui/context';
import { ErrorLine, Tabs } from '../../ui/controls';
import { Log } from '../../ui/log';
import { Split } from '../../ui/split';
import type { ICurveOptions } from '../model/charts';
import { CURVE_OPTIONS } from '../model/charts';
import { partOf, ranksOf } from '../model/job';
import type { ITrainJob } from '../model/types';
import { CurvesPane } from './curves';
import { JobError } from './error';
import { JobHeader } from './header';
import { Ranks } from './ranks';
import { Setup } from './setup';

export type JobTab = 'ranks' | 'log' | 'setup';

/** Where in the view one is; what is absent is as at first. */
export type JobPlace = {
  tab?: JobTab;
  /** The rank whose log is shown; all of them interleaved without. */
  part?: string;
  curves?: Partial<ICurveOptions>;
};

/** One training job: header, what failed, its curves, and beside them its ranks, log and setup. */
export function JobView(props: {
  watch: IResourceWatch<ITrainJob>;
  place: JobPlace;
  onPlace: (change: Partial<JobPlace>) => void;
}): JSX.Element {
  const { watch, place, onPlace } = props;
  const { trans, resources } = useKubeflow();
  useSignal(watch.changed);
  useSignal(resources.connectionChanged);
  const { item: job, error } = watch;
  if (!job) {
    return error ? (
      <ErrorLine error={error} onRetry={() => void watch.refresh()} />
    ) : (
      <p className="jk-Quiet">{trans.__('Loading…')}</p>
    );
  }
  const away = resources.connection === 'away';
  const options = { ...CURVE_OPTIONS, ...place.curves };
  return (
    <div className={away ? 'jk-RunView jk-JobView jk-mod-away' : 'jk-RunView jk-JobView'}>
      {away && (
        <p className="jk-Where-away" role="status">
          {trans.__('The Jupyter server does not answer. Shown is what was last known.')}
        </p>
      )}
      {error && <ErrorLine error={error} />}
      <JobHeader job={job} />
      <JobError job={job} onShowLog={part => onPlace({ tab: 'log', part })} />
      <Split
        label={trans.__('Resize curves')}
        left={
          <CurvesPane
            job={job}
            options={options}
            onOptions={change => onPlace({ curves: { ...options, ...change } })}
          />
        }
        right={<Details job={job} place={place} onPlace={onPlace} />}
      />
    </div>
  );
}

function Details(props: {
  job: ITrainJob;
  place: JobPlace;
  onPlace: (change: Partial<JobPlace>) => void;
}): JSX.Element {
  const { job, place, onPlace } = props;
  const { trans } = useKubeflow();
  const id = React.useId();
  const tab = place.tab ?? 'ranks';
  const ranks = ranksOf(job);
  return (
    <div className="jk-Detail">
      <Tabs
        id={id}
        label={trans.__('About this job')}
        selected={tab}
        onSelect={next => onPlace({ tab: next })}
        tabs={[
          { id: 'ranks', label: trans.__('Ranks'), count: ranks.length },
          { id: 'log', label: trans.__('Log') },
          { id: 'setup', label: trans.__('Setup') }
        ]}
      />
      <div
        className={tab === 'log' ? 'jk-Detail-panel jk-mod-log' : 'jk-Detail-panel'}
        role="tabpanel"
        id={`${id}-panel`}
        aria-labelledby={`${id}-${tab}`}
        tabIndex={tab === 'log' ? undefined : 0}
      >
        {tab === 'ranks' && <Ranks job={job} onLog={part => onPlace({ tab: 'log', part })} />}
        {tab === 'log' && <JobLog job={job} part={place.part ?? ''} onPlace={onPlace} />}
        {tab === 'setup' && <Setup job={job} />}
      </div>
    </div>
  );
}

function JobLog(props: {
  job: ITrainJob;
  part: string;
  onPlace: (change: Partial<JobPlace>) => void;
}): JSX.Element {
  const { job, part } = props;
  const { trans } = useKubeflow();
  const { name } = job.metadata;
  const ranks = ranksOf(job);
  return (
    <Log
      source={{
        path: `${pluralOf(job.kind)}/${encodeURIComponent(name)}`,
        query: part ? { part } : undefined,
        attempt: job.status.attempt,
        file: part ? `${name}-${part}` : name
      }}
    >
      <select
        className="jk-Select"
        aria-label={trans.__('Whose log')}
        value={part}
        onChange={event => props.onPlace({ part: event.target.value })}
      >
        <option value="">{trans.__('All ranks')}</option>
        {ranks.map(rank => (
          <option key={partOf(rank)} value={partOf(rank)}>
            {rankName(rank.rank, rank.role, trans)}
          </option>
        ))}
      </select>
    </Log>
  );
}

export function rankName(
  rank: number,
  role: string | undefined,
  trans: ReturnType<typeof useKubeflow>['trans']
): string {
  const name = trans.__('Rank %1', rank);
  return role && role !== 'worker' && role !== 'agent' ? `${name} (${role})` : name;
}
