import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { duration, exact, number } from '../format';
import type { IColumn } from '../kinds';
import { metricNames } from '../model/filter';
import { isActive, knownState, tone } from '../model/states';
import type { IWork } from '../model/types';
import { Progress } from './controls';
import { Elapsed, RelativeTime } from './time';

export function durationColumn(trans: TranslationBundle): IColumn {
  return {
    id: 'seconds',
    title: trans.__('Duration'),
    width: '76px',
    number: true,
    sort: item => item.status.seconds,
    cell: ({ status }) =>
      isActive(status.phase) && status.startTime ? (
        <Elapsed start={status.startTime} />
      ) : (
        duration(status.seconds)
      )
  };
}

export function startedColumn(trans: TranslationBundle): IColumn {
  return {
    id: 'created',
    title: trans.__('Started'),
    width: '96px',
    sort: item => item.metadata.creationTimestamp,
    cell: ({ status, metadata }) => (
      <span title={exact(status.startTime)}>
        <RelativeTime time={status.startTime ?? metadata.creationTimestamp} />
      </span>
    )
  };
}

export function progressColumn(trans: TranslationBundle): IColumn {
  return {
    id: 'progress',
    title: trans.__('Progress'),
    width: 'minmax(70px, 0.8fr)',
    sort: item => item.status.progress,
    cell: ({ status, metadata }) => {
      const phase = knownState(status.phase);
      return (
        <Progress
          value={phase === 'SUCCEEDED' ? 1 : (status.progress ?? 0)}
          label={trans.__('Progress of %1', metadata.name)}
          tone={tone(phase)}
        />
      );
    }
  };
}

/** The metrics that most of the items have, three at most. */
export function metricColumns(
  items: readonly IWork[],
  metrics: (item: IWork) => Record<string, number> = item => item.status.metrics ?? {},
  most = 3
): IColumn[] {
  return metricNames(items.map(metrics))
    .slice(0, most)
    .map(name => ({
      id: `metric:${name}`,
      title: name,
      width: 'minmax(62px, 0.7fr)',
      number: true,
      sort: item => metrics(item)[name],
      cell: item => number(metrics(item)[name])
    }));
}
