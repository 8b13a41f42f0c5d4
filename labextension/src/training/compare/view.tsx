import * as React from 'react';

import { Lines } from '../../chart/lines';
import { ChartCursor } from '../../chart/cursor';
import { sections } from '../../model/comparison';
import type { IResourceWatch } from '../../model/resources';
import { CompareTable } from '../../ui/compare';
import { useKubeflow } from '../../ui/context';
import { Button } from '../../ui/controls';
import type { ICurveOptions } from '../model/charts';
import { CURVE_OPTIONS } from '../model/charts';
import { compareCharts, compareRows } from '../model/compare';
import type { ITrainJob } from '../model/types';
import { CurveBar } from '../view/bar';
import { startOf, useFeeds } from '../view/feeds';
import { secondsText } from '../view/words';

/** Draws again when one of them changed. */
function useWatches(watches: readonly IResourceWatch<ITrainJob>[]): void {
  const [, draw] = React.useState(0);
  React.useEffect(() => {
    const slot = () => draw(count => count + 1);
    watches.forEach(watch => watch.changed.connect(slot));
    slot();
    return () => watches.forEach(watch => watch.changed.disconnect(slot));
  }, [watches]);
}

/** Jobs as columns and as lines in the same charts. */
export function CompareJobs(props: {
  watches: readonly IResourceWatch<ITrainJob>[];
  onNames: (names: readonly string[]) => void;
}): JSX.Element {
  const { watches } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [only, setOnly] = React.useState(false);
  useWatches(watches);
  const jobs = watches.map(watch => watch.item).filter(job => job !== null);
  const titles = {
    parameters: trans.__('Arguments'),
    metrics: trans.__('Metrics'),
    run: trans.__('Job')
  };
  const facts = {
    state: trans.__('State'),
    seconds: trans.__('Duration'),
    framework: trans.__('Framework'),
    nodes: trans.__('Nodes'),
    procs: trans.__('Processes per node')
  };
  return (
    <div className="jk-Compare">
      <div className="jk-Compare-head">
        <h1>{trans._n('Comparing %1 job', 'Comparing %1 jobs', watches.length)}</h1>
        <span className="jk-Spacer" />
        <Button
          label={trans.__('Only differences')}
          pressed={only}
          onClick={() => setOnly(!only)}
        />
      </div>
      <div className="jk-Compare-body">
        <div className="jk-ScrollX" role="region" aria-label={trans.__('Comparison')} tabIndex={0}>
          <CompareTable
            columns={jobs.map((job, index) => ({
              name: job.metadata.name,
              state: job.status.phase,
              created: job.metadata.creationTimestamp,
              mark: <i className={`jk-Swatch jk-c${index % 8}`} />,
              open: () => void kubeflow.open(job.kind, job.metadata.name)
            }))}
            sections={sections(compareRows(jobs), only)}
            titles={titles}
            facts={facts}
            onNames={props.onNames}
          />
        </div>
        <Charts jobs={jobs} />
      </div>
    </div>
  );
}

function Charts(props: { jobs: readonly ITrainJob[] }): JSX.Element {
  const { jobs } = props;
  const { trans } = useKubeflow();
  const [options, setOptions] = React.useState<ICurveOptions>(CURVE_OPTIONS);
  const { feeds } = useFeeds(jobs);
  const cursor = React.useMemo(() => new ChartCursor(), []);
  const series = jobs.map((job, index) => ({
    name: job.metadata.name,
    series: feeds[index].curves.series,
    start: startOf(job, feeds[index])
  }));
  const charts = compareCharts(series, options);
  const byTime = options.x === 'time';
  return (
    <section className="jk-Curves" aria-label={trans.__('Curves')}>
      {charts.length > 0 && (
        <CurveBar
          options={options}
          onOptions={change => setOptions(old => ({ ...old, ...change }))}
        />
      )}
      <div className="jk-Curves-grid">
        {charts.map(chart => (
          <div className="jk-Curve" key={chart.name}>
            <h2>
              <span dir="auto">{chart.name}</span>
            </h2>
            <Lines
              label={trans.__('%1 by %2', chart.name, byTime ? trans.__('time') : trans.__('step'))}
              x={
                byTime
                  ? { name: trans.__('Time'), format: secondsText }
                  : { name: trans.__('Step') }
              }
              y={{ name: chart.name, log: options.log }}
              lines={chart.lines}
              cursor={cursor}
              height={220}
            />
          </div>
        ))}
      </div>
    </section>
  );
}
