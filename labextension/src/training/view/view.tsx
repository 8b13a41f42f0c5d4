import * as React from 'react';

import type { IResourceWatch } from '../../model/resources';
import { pluralOf } from '../../model/kinds';
import { useKubeflow } from '../../ui/context';
import { TabPanel, Tabs } from '../../ui/controls';
import { Log, PartSelect } from '../../ui/log';
import { Split } from '../../ui/split';
import { Watched } from '../../ui/watched';
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
  const { trans } = useKubeflow();
  const options = { ...CURVE_OPTIONS, ...place.curves };
  return (
    <Watched watch={watch} className="jk-JobView">
      {job => (
        <>
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
        </>
      )}
    </Watched>
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
      <TabPanel
        id={id}
        tab={tab}
        className={tab === 'log' ? 'jk-Detail-panel jk-mod-log' : 'jk-Detail-panel'}
        focus={tab === 'log' ? undefined : 0}
      >
        {tab === 'ranks' && <Ranks job={job} onLog={part => onPlace({ tab: 'log', part })} />}
        {tab === 'log' && <JobLog job={job} part={place.part ?? ''} onPlace={onPlace} />}
        {tab === 'setup' && <Setup job={job} />}
      </TabPanel>
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
      <PartSelect
        part={part}
        all={trans.__('All ranks')}
        parts={ranks.map(rank => [partOf(rank), rankName(rank.rank, rank.role, trans)])}
        onPart={next => props.onPlace({ part: next })}
      />
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
