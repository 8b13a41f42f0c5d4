import { runIcon, stopIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { number } from '../format';
import type { IColumn, IKindView, ISection } from '../kinds';
import type { IWork } from '../model/types';
import type { IKubeflow } from '../tokens';
import { CommandIDs } from '../tokens';
import { durationColumn, progressColumn, startedColumn } from '../ui/columns';
import { EXPERIMENT, TuningCommands } from './commands';
import { experimentForm } from './form/form';
import type { ISources } from './form/sources';
import { tuningIcon } from './icons';
import { algorithmTitle } from './model/algorithms';
import { experimentTitle } from './model/code';
import type { IExperiment } from './model/types';
import { experimentNote, parameterText } from './view/words';

const EXAMPLE = `import jupyter_ext as kf

def train(lr: float = 0.01, layers: int = 2):
    ...
    return {"loss": loss}

kf.tuning.tune(
    train,
    {"lr": kf.tuning.double(1e-4, 0.1, log=True),
     "layers": kf.tuning.int_(1, 4)},
    objective="loss:min",
)`;

/** Searches for the best parameters, in the panel and in its table. */
export function tuningSection(kubeflow: IKubeflow, sources: ISources): ISection {
  const { trans } = kubeflow;
  return {
    id: 'tuning',
    rank: 30,
    title: trans.__('Tuning'),
    words: {
      items: trans.__('Experiments'),
      filter: trans.__('Filter experiments'),
      hint: trans.__('Filter: failed, a name, tpe'),
      selected: trans.__('Selected experiments'),
      noMatch: trans.__('No experiment matches “%1”.')
    },
    kinds: [experimentView(kubeflow) as unknown as IKindView, trialView(kubeflow)],
    create: {
      label: trans.__('New experiment'),
      first: trans.__('Tune a function'),
      form: experimentForm(sources)
    },
    empty: {
      sentence: trans.__(
        'No experiments yet. Any function with parameters can be tuned: it is called with values from ranges that you give, again and again, side by side, and the best are kept.'
      ),
      code: EXAMPLE
    },
    columns: () => columns(trans)
  };
}

function experimentView(kubeflow: IKubeflow): IKindView<IExperiment> {
  const { trans } = kubeflow;
  return {
    kind: EXPERIMENT,
    icon: tuningIcon,
    title: experimentTitle,
    note: item => experimentNote(item, trans),
    words: ({ spec }) => `${spec.algorithm?.algorithmName} ${spec.objective?.objectiveMetricName}`,
    value: (item, name) => item.status.best?.parameters[name],
    open: (name, place) =>
      kubeflow.execute(TuningCommands.open, place ? { name, place } : { name }),
    actions: [
      { command: TuningCommands.stop, label: trans.__('Stop'), icon: stopIcon, inRow: true },
      { command: TuningCommands.resume, label: trans.__('Resume'), icon: runIcon, inRow: true },
      { command: TuningCommands.bestToCell, label: trans.__('Put best into a cell') },
      {
        command: TuningCommands.bestToPipeline,
        label: trans.__('Set best as pipeline parameters')
      },
      { command: CommandIDs.registerMade, label: trans.__('Register best as model…') },
      { command: TuningCommands.exportYaml, label: trans.__('Export as YAML') },
      { command: TuningCommands.copyCode, label: trans.__('Copy as code') },
      { command: TuningCommands.remove, label: trans.__('Delete…'), bulk: true }
    ]
  };
}

/** Trials have no list of their own; what links to one is led to it inside of its experiment. */
function trialView(kubeflow: IKubeflow): IKindView {
  return {
    kind: 'Trial',
    icon: tuningIcon,
    title: item => item.metadata.name,
    note: item => item.status.reason ?? '',
    open: name =>
      kubeflow.execute(TuningCommands.open, {
        name: name.replace(/-\d+$/, ''),
        place: { trial: name }
      }),
    actions: []
  };
}

function columns(trans: TranslationBundle): IColumn[] {
  const of = (item: IWork) => item as IExperiment;
  return [
    progressColumn(trans),
    {
      id: 'best',
      title: trans.__('Best'),
      width: 'minmax(110px, 1fr)',
      sort: item => of(item).status.best?.value,
      cell: item => {
        const { status, spec } = of(item);
        return (
          <span className="jk-Ellipsis" title={bestTitle(of(item))}>
            {status.best
              ? `${spec.objective.objectiveMetricName} ${number(status.best.value)}`
              : '–'}
          </span>
        );
      }
    },
    {
      id: 'trials',
      title: trans.__('Trials'),
      width: '92px',
      sort: item => of(item).status.trials,
      cell: item => {
        const { status, spec } = of(item);
        return spec.maxTrialCount
          ? trans.__('%1 of %2', number(status.trials ?? 0), number(spec.maxTrialCount))
          : number(status.trials ?? 0);
      }
    },
    {
      id: 'algorithm',
      title: trans.__('Algorithm'),
      width: 'minmax(80px, 1fr)',
      sort: item => of(item).spec.algorithm?.algorithmName,
      cell: item => (
        <span className="jk-Ellipsis">
          {algorithmTitle(of(item).spec.algorithm?.algorithmName ?? '', trans)}
        </span>
      )
    },
    durationColumn(trans),
    startedColumn(trans)
  ];
}

function bestTitle(item: IExperiment): string {
  return Object.entries(item.status.best?.parameters ?? {})
    .map(([name, value]) => `${name} = ${parameterText(value)}`)
    .join('\n');
}
