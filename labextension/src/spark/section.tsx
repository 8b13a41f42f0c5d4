import { runIcon, stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { pauseIcon, sparkIcon } from '../icons';
import type { IColumn, IKindView, ISection } from '../kinds';
import { lookup } from '../model/filter';
import type { IWork } from '../model/types';
import type { IKubeflow } from '../tokens';
import { durationColumn, progressColumn, startedColumn } from '../ui/columns';
import { SparkCommandIDs } from './commands';
import { SparkForm } from './form/form';
import {
  APPLICATION,
  argumentsOf,
  isIdle,
  isSession,
  nextRun,
  note,
  program,
  SCHEDULED,
  scheduleOf,
  SESSION,
  sessionCell,
  shape
} from './model/app';
import type { IScheduled, ISpark } from './model/types';
import { ScheduleMark, Schedules } from './schedules';

function workView(kubeflow: IKubeflow, kind: string): IKindView<ISpark> {
  const { trans } = kubeflow;
  const ids = SparkCommandIDs;
  return {
    kind,
    icon: sparkIcon,
    title: app => app.metadata.name,
    note: app => note(app, trans),
    words: app => `${kind === SESSION ? 'session' : 'application batch'} ${program(app)}`,
    value: (app, name) =>
      name === 'schedule' ? (scheduleOf(app) ?? '') : lookup(argumentsOf(app), name),
    open: (name, place) => kubeflow.execute(ids.open, { name, kind, ...(place && { place }) }),
    // A session that waits for work is no work that goes on.
    settled: isIdle,
    actions: [
      { command: ids.stop, label: trans.__('Stop'), icon: stopIcon, inRow: true, bulk: true },
      { command: ids.openLog, label: trans.__('Open log') },
      { command: ids.openUi, label: trans.__('Open Spark UI') },
      ...(kind === SESSION ? [{ command: ids.insert, label: trans.__('Use in notebook') }] : []),
      { command: ids.copyCode, label: trans.__('Copy as code') },
      { command: ids.exportYaml, label: trans.__('Export YAML') },
      { command: ids.remove, label: trans.__('Delete…'), bulk: true }
    ]
  };
}

function scheduleView(kubeflow: IKubeflow): IKindView<IScheduled> {
  const { trans } = kubeflow;
  const ids = SparkCommandIDs;
  return {
    kind: SCHEDULED,
    icon: sparkIcon,
    title: item => item.metadata.name,
    note: item =>
      item.status.phase === 'FAILED' && item.status.reason
        ? item.status.reason
        : [item.spec.schedule, item.spec.timeZone].filter(Boolean).join(' '),
    words: () => 'schedule',
    open: name => kubeflow.openTable('spark', `schedule=${name}`),
    // They have a list of their own, below.
    isPart: () => true,
    mark: item => <ScheduleMark item={item} />,
    time: nextRun,
    actions: [
      { command: ids.run, label: trans.__('Run now'), icon: runIcon, inRow: true },
      { command: ids.suspend, label: trans.__('Pause'), icon: pauseIcon },
      { command: ids.resume, label: trans.__('Resume'), icon: runIcon },
      { command: ids.copySchedule, label: trans.__('Copy as code') },
      { command: ids.exportSchedule, label: trans.__('Export YAML') },
      { command: ids.removeSchedule, label: trans.__('Delete…'), bulk: true }
    ]
  };
}

/** Sessions that stay up between cells, applications that run to their end, and what starts them by the clock. */
export function sparkSection(kubeflow: IKubeflow): ISection {
  const { trans } = kubeflow;
  return {
    id: 'spark',
    rank: 40,
    title: trans.__('Spark'),
    words: {
      items: trans.__('Spark sessions and applications'),
      filter: trans.__('Filter Spark sessions and applications'),
      hint: trans.__('Filter: running, session, a name'),
      selected: trans.__('Selected Spark applications'),
      noMatch: trans.__('Nothing of Spark matches “%1”.')
    },
    kinds: [
      workView(kubeflow, SESSION),
      workView(kubeflow, APPLICATION),
      scheduleView(kubeflow)
    ] as unknown as IKindView[],
    create: {
      label: trans.__('New Spark session or application'),
      first: trans.__('Start a session'),
      form: SparkForm
    },
    empty: {
      sentence: trans.__(
        'Nothing of Spark yet. A session stays up between cells and kernels; a cell that begins with %1 runs in it. A file or function runs as an application of its own.',
        // Doubled signs mean one to the translation.
        '%%spark'
      ),
      code: sessionCell(),
      also: { label: trans.__('Insert into notebook'), command: SparkCommandIDs.insert }
    },
    below: Schedules,
    columns: () => columns(kubeflow)
  };
}

function columns(kubeflow: IKubeflow): IColumn[] {
  const { trans } = kubeflow;
  const isWork = (item: IWork) => item.kind !== SCHEDULED;
  const kind = (item: IWork) =>
    isSession(item)
      ? trans.__('Session')
      : isWork(item)
        ? trans.__('Application')
        : trans.__('Schedule');
  return [
    { id: 'kind', title: trans.__('Kind'), width: '92px', sort: kind, cell: kind },
    {
      id: 'shape',
      title: trans.__('Executors'),
      width: 'minmax(110px, 1fr)',
      sort: item => (isWork(item) ? shape(item as ISpark, trans) : null),
      cell: item => (isWork(item) ? shape(item as ISpark, trans) : '–')
    },
    progressColumn(trans),
    durationColumn(trans),
    startedColumn(trans)
  ];
}
