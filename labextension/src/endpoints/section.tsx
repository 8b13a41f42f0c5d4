import { runIcon, stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { number } from '../format';
import { endpointIcon } from '../icons';
import type { IColumn, IKindView, ISection } from '../kinds';
import type { IWork } from '../model/types';
import type { IKubeflow } from '../tokens';
import { startedColumn } from '../ui/columns';
import { ENDPOINT, EndpointCommands } from './commands';
import { ServeForm } from './form/form';
import {
  endpointNote,
  splitOf,
  splitText,
  urlOf,
  variantsOf,
  versionText,
  words
} from './model/endpoint';
import type { IEndpoint } from './model/types';
import { HealthMark, MiniSplit } from './view/marks';
import { Rate } from './view/rate';

const EXAMPLE = `import jupyter_ext as kf

endpoint = kf.serving.serve("iris@champion")
endpoint.predict(frame)`;

function endpointView(kubeflow: IKubeflow): IKindView<IEndpoint> {
  const { trans } = kubeflow;
  const ids = EndpointCommands;
  return {
    kind: ENDPOINT,
    icon: endpointIcon,
    title: item => item.metadata.name,
    note: item => endpointNote(item, trans),
    words,
    value: (item, name) =>
      name === 'model'
        ? variantsOf(item)
            .map(variant => variant.model)
            .join(' ')
        : undefined,
    open: (name, place) => kubeflow.execute(ids.open, { name, ...(place && { place }) }),
    mark: item => <HealthMark item={item} compact />,
    extra: item => (
      <span className="jk-EndpointExtra">
        <MiniSplit split={splitOf(item)} />
        <Rate item={item} />
      </span>
    ),
    // What serves is no work that goes on: only what starts, stops or failed is.
    settled: item => item.status.phase === 'RUNNING',
    actions: [
      { command: ids.start, label: trans.__('Start'), icon: runIcon, inRow: true, bulk: true },
      { command: ids.stop, label: trans.__('Stop'), icon: stopIcon, inRow: true, bulk: true },
      { command: ids.rollback, label: trans.__('Roll back…') },
      { command: ids.copyUrl, label: trans.__('Copy address') },
      { command: ids.copyCode, label: trans.__('Copy as code') },
      { command: ids.exportYaml, label: trans.__('Export YAML') },
      { command: ids.remove, label: trans.__('Delete…'), bulk: true }
    ]
  };
}

/** Models that answer requests. */
export function endpointSection(kubeflow: IKubeflow): ISection {
  const { trans } = kubeflow;
  return {
    id: 'serving',
    rank: 60,
    title: trans.__('Endpoints'),
    words: {
      items: trans.__('Endpoints'),
      filter: trans.__('Filter endpoints'),
      hint: trans.__('Filter: failed, a name, iris:3'),
      selected: trans.__('Selected endpoints'),
      noMatch: trans.__('No endpoint matches “%1”.')
    },
    kinds: [endpointView(kubeflow) as unknown as IKindView],
    create: {
      label: trans.__('New endpoint'),
      first: trans.__('Serve a model'),
      form: ServeForm
    },
    empty: {
      sentence: trans.__(
        'No endpoints yet. A registered model gets an address that answers requests; later versions are put beside it, compared on live traffic and taken back in a second.'
      ),
      code: EXAMPLE
    },
    columns: () => columns(kubeflow)
  };
}

function columns(kubeflow: IKubeflow): IColumn[] {
  const { trans } = kubeflow;
  const of = (item: IWork) => item as IEndpoint;
  return [
    {
      id: 'split',
      title: trans.__('Traffic'),
      width: 'minmax(90px, 1fr)',
      cell: item => (
        <span title={splitText(splitOf(of(item)))}>
          <MiniSplit split={splitOf(of(item))} />
        </span>
      )
    },
    {
      id: 'models',
      title: trans.__('Models'),
      width: 'minmax(110px, 1.2fr)',
      sort: item => variantsOf(of(item)).map(versionText).join(),
      cell: item => {
        const text = variantsOf(of(item)).map(versionText).join(', ');
        return (
          <span className="jk-Ellipsis" dir="auto" title={text}>
            {text || '–'}
          </span>
        );
      }
    },
    {
      id: 'replicas',
      title: trans.__('Variants'),
      width: '76px',
      number: true,
      sort: item => variantsOf(of(item)).length,
      cell: item => number(variantsOf(of(item)).length)
    },
    {
      id: 'url',
      title: trans.__('Address'),
      width: 'minmax(120px, 1.4fr)',
      cell: item => (
        <code className="jk-Ellipsis" title={urlOf(of(item))}>
          {urlOf(of(item)) || '–'}
        </code>
      )
    },
    startedColumn(trans)
  ];
}
