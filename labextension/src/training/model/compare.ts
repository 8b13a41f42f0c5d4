import type { ILine } from '../../chart/lines';
import type { ICompareRow } from '../../model/comparison';
import type { Json } from '../../model/types';
import type { ICurveOptions } from './charts';
import { metricCharts } from './charts';
import type { ISeries } from './curves';
import { argumentsOf, framework, metricsOf, nodes, procs } from './job';
import type { ITrainJob } from './types';

/** What is to be told of each job, row by row. */
export function compareRows(jobs: readonly ITrainJob[]): ICompareRow[] {
  const parts: [section: string, read: (job: ITrainJob) => Record<string, Json>][] = [
    ['parameters', argumentsOf],
    ['metrics', metricsOf],
    ['run', facts]
  ];
  return parts.flatMap(([section, read]) => {
    const found = jobs.map(read);
    const names = [...new Set(found.flatMap(Object.keys))];
    return names.map((name): ICompareRow => {
      const values = found.map(each => each[name] ?? null);
      const differs = values.some(value => JSON.stringify(value) !== JSON.stringify(values[0]));
      return { section, name, values, differs };
    });
  });
}

function facts(job: ITrainJob): Record<string, Json> {
  return {
    state: job.status.phase ?? 'PENDING',
    seconds: job.status.seconds ?? null,
    framework: framework(job),
    nodes: nodes(job),
    procs: procs(job)
  };
}

export interface IJobSeries {
  name: string;
  series: readonly ISeries[];
  /** Seconds since 1970. */
  start: number;
}

/** For each metric a chart with one line a job: the mean of its ranks. */
export function compareCharts(
  jobs: readonly IJobSeries[],
  options: Omit<ICurveOptions, 'ranks'>
): { name: string; lines: ILine[] }[] {
  const found = new Map<string, ILine[]>();
  jobs.forEach((job, colour) => {
    const words = { mean: job.name, rank: () => job.name };
    const charts = metricCharts(job.series, job.start, { ...options, ranks: false }, words);
    for (const { name, lines } of charts) {
      const named = lines.map(line => ({ ...line, key: `${job.name}/${line.key}`, colour }));
      found.set(name, [...(found.get(name) ?? []), ...named]);
    }
  });
  return [...found].map(([name, lines]) => ({ name, lines }));
}
