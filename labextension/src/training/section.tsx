import { runIcon, stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { pauseIcon, trainingIcon } from '../icons';
import type { IColumn, IKindView, ISection } from '../kinds';
import { lookup } from '../model/filter';
import type { IWork } from '../model/types';
import type { IKubeflow } from '../tokens';
import { CommandIDs } from '../tokens';
import { durationColumn, metricColumns, progressColumn, startedColumn } from '../ui/columns';
import { JOB_KINDS, TrainingCommandIDs } from './commands';
import { TrainForm } from './form';
import { argumentsOf, framework, metricsOf, note, shape } from './model/job';
import type { ITrainJob } from './model/types';

const EXAMPLE =
  'import jupyter_ext as kf\n\njob = kf.training.train(fit, framework="torch", nodes=2)';

/** A trial's job is a part of its experiment, which is listed itself. */
function isPart(job: ITrainJob): boolean {
  return 'katib.kubeflow.org/experiment' in (job.metadata.labels ?? {});
}

function jobView(kubeflow: IKubeflow, kind: string): IKindView<ITrainJob> {
  const { trans } = kubeflow;
  const ids = TrainingCommandIDs;
  return {
    kind,
    icon: trainingIcon,
    title: job => job.metadata.name,
    note: job => note(job, left => trans.__('%1 left', left)),
    words: job => `${kind} ${framework(job)} ${Object.keys(argumentsOf(job)).join(' ')}`,
    value: (job, name) => lookup({ ...argumentsOf(job), framework: framework(job) }, name),
    open: (name, place) => kubeflow.execute(ids.open, { name, kind, ...(place && { place }) }),
    isPart,
    actions: [
      { command: ids.stop, label: trans.__('Stop'), icon: stopIcon, inRow: true, bulk: true },
      { command: ids.resume, label: trans.__('Resume'), icon: runIcon, inRow: true },
      { command: ids.suspend, label: trans.__('Suspend'), icon: pauseIcon },
      { command: ids.copyCode, label: trans.__('Copy as code') },
      { command: CommandIDs.registerMade, label: trans.__('Register as model…') },
      { command: ids.exportYaml, label: trans.__('Export YAML') },
      { command: ids.remove, label: trans.__('Delete…'), bulk: true }
    ]
  };
}

/** Functions, cells and commands that run on several processes. */
export function trainingSection(kubeflow: IKubeflow): ISection {
  const { trans } = kubeflow;
  return {
    id: 'training',
    rank: 20,
    title: trans.__('Training'),
    words: {
      items: trans.__('Training jobs'),
      filter: trans.__('Filter training jobs'),
      hint: trans.__('Filter: running, a name, lr=0.1'),
      selected: trans.__('Selected training jobs'),
      noMatch: trans.__('No training job matches “%1”.')
    },
    kinds: JOB_KINDS.map(kind => jobView(kubeflow, kind)),
    create: { label: trans.__('New training job'), form: TrainForm },
    empty: {
      sentence: trans.__(
        'No training jobs yet. One function, cell or file runs on several processes and shows its curves while it does.'
      ),
      code: EXAMPLE
    },
    compare: names => void kubeflow.execute(TrainingCommandIDs.compare, { names: [...names] }),
    columns: items => [
      {
        id: 'framework',
        title: trans.__('Framework'),
        width: 'minmax(86px, 1fr)',
        sort: (job: IWork) => framework(job as ITrainJob),
        cell: (job: IWork) => <span dir="auto">{shape(job as ITrainJob)}</span>
      } satisfies IColumn,
      progressColumn(trans),
      durationColumn(trans),
      startedColumn(trans),
      ...metricColumns(items, item => metricsOf(item as ITrainJob))
    ]
  };
}
