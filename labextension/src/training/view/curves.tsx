import * as React from 'react';

import { ChartCursor } from '../../chart/cursor';
import { Lines } from '../../chart/lines';
import { nearest } from '../../chart/smooth';
import { bytes, number, percent } from '../../format';
import { isActive } from '../../model/states';
import { useKubeflow } from '../../ui/context';
import { ErrorLine } from '../../ui/controls';
import type { ICurveOptions, IMetricChart, ISystemChart } from '../model/charts';
import { metricCharts, systemCharts } from '../model/charts';
import type { ISeries } from '../model/curves';
import type { ITrainJob } from '../model/types';
import { CurveBar } from './bar';
import { startOf, useFeeds } from './feeds';
import { secondsText } from './words';

/** A chart for each metric, and below what the job used meanwhile. */
export function CurvesPane(props: {
  job: ITrainJob;
  options: ICurveOptions;
  onOptions: (change: Partial<ICurveOptions>) => void;
}): JSX.Element {
  const { job, options } = props;
  const { trans } = useKubeflow();
  const {
    feeds: [feed],
    count
  } = useFeeds([job]);
  const cursor = React.useMemo(() => new ChartCursor(), []);
  const series = feed.curves.series;
  const start = startOf(job, feed);
  const { metrics, system } = React.useMemo(
    () => ({
      metrics: metricCharts(series, start, options, {
        mean: trans.__('Mean'),
        rank: rank => (rank < 0 ? trans.__('Job') : trans.__('Rank %1', rank))
      }),
      system: systemCharts(series, start)
    }),
    // The series grow in place; the count tells that they did.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [count, feed, start, JSON.stringify(options), trans]
  );
  const until = Math.max(
    1,
    ...series.map(each => (each.times[each.times.length - 1] ?? 0) - start)
  );
  return (
    <section className="jk-Curves" aria-label={trans.__('Curves')}>
      {feed.error && !feed.loaded && <ErrorLine error={feed.error} />}
      {metrics.length > 0 && (
        <CurveBar options={options} onOptions={props.onOptions} ranks={severalRanks(series)} />
      )}
      {metrics.length ? (
        <div className="jk-Curves-grid">
          {metrics.map(chart => (
            <MetricChart
              key={chart.name}
              chart={chart}
              options={options}
              cursor={cursor}
              until={until}
            />
          ))}
        </div>
      ) : (
        <NoCurves job={job} loaded={feed.loaded} />
      )}
      {system.length > 0 && (
        <>
          <h2>{trans.__('Utilisation')}</h2>
          <div className="jk-Curves-grid">
            {system.map(chart => (
              <SystemChart key={chart.id} chart={chart} cursor={cursor} until={until} />
            ))}
          </div>
        </>
      )}
    </section>
  );
}

function severalRanks(series: readonly ISeries[]): boolean {
  const ranks = series.filter(({ name }) => !name.startsWith('system/')).map(({ rank }) => rank);
  return new Set(ranks).size > 1;
}

function NoCurves(props: { job: ITrainJob; loaded: boolean }): JSX.Element {
  const { trans } = useKubeflow();
  const { phase } = props.job.status;
  const text = !props.loaded
    ? trans.__('Loading…')
    : phase === 'PENDING'
      ? trans.__('Curves appear as soon as it runs and reports.')
      : isActive(phase)
        ? trans.__('Nothing was reported yet.')
        : trans.__('This job reported no metrics.');
  return (
    <div className="jk-Curves-none">
      <p>{text}</p>
      {props.loaded && (
        <p className="jk-Muted">
          {trans.__('In the code:')} <code>kf.report(loss=loss, step=step)</code>
        </p>
      )}
    </div>
  );
}

function MetricChart(props: {
  chart: IMetricChart;
  options: ICurveOptions;
  cursor: ChartCursor;
  until: number;
}): JSX.Element {
  const { chart, options, cursor } = props;
  const { trans } = useKubeflow();
  const { steps, times } = chart;
  const main = chart.lines[chart.lines.length - 1];
  const last = main?.y[main.y.length - 1];
  const byTime = options.x === 'time';
  return (
    <div className="jk-Curve">
      <h2>
        <span dir="auto">{chart.name}</span>
        <b>{number(last)}</b>
      </h2>
      <Lines
        label={trans.__('%1 by %2', chart.name, byTime ? trans.__('time') : trans.__('step'))}
        x={
          byTime
            ? { name: trans.__('Time'), format: secondsText, domain: [0, props.until] }
            : {
                name: trans.__('Step'),
                fromCursor: at => steps[nearest(times, at)] ?? 0,
                toCursor: x => times[nearest(steps, x)] ?? 0
              }
        }
        y={{ name: chart.name, log: options.log }}
        lines={chart.lines}
        cursor={cursor}
      />
    </div>
  );
}

function SystemChart(props: {
  chart: ISystemChart;
  cursor: ChartCursor;
  until: number;
}): JSX.Element {
  const { chart } = props;
  const { trans } = useKubeflow();
  const titles: Record<ISystemChart['id'], string> = {
    cpu: trans.__('CPU, cores'),
    memory: trans.__('Memory'),
    gpu: trans.__('GPU'),
    'gpu-memory': trans.__('GPU memory')
  };
  const formats: Record<ISystemChart['id'], (value: number) => string> = {
    cpu: number,
    memory: bytes,
    gpu: percent,
    'gpu-memory': bytes
  };
  const values = chart.lines.flatMap(line => line.y).filter(Number.isFinite);
  const most = values.reduce((a, b) => Math.max(a, b), 0);
  return (
    <div className="jk-Curve">
      <h2>
        <span>{titles[chart.id]}</span>
      </h2>
      <Lines
        label={trans.__('%1 over time', titles[chart.id])}
        x={{
          name: trans.__('Time'),
          format: secondsText,
          domain: [0, props.until]
        }}
        y={{
          name: titles[chart.id],
          format: formats[chart.id],
          domain: [0, chart.id === 'gpu' ? 1 : most * 1.05 || 1]
        }}
        lines={chart.lines}
        cursor={props.cursor}
        height={110}
      />
    </div>
  );
}
