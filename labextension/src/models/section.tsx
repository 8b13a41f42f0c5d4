import { runIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IColumn, IKindView, ISearchResult, ISection } from '../kinds';
import type { IWork } from '../model/types';
import type { IKubeflow } from '../tokens';
import { metricColumns } from '../ui/columns';
import { RelativeTime } from '../ui/time';
import { ModelCommands } from './commands';
import { RegisterForm } from './form';
import { modelIcon } from './icons';
import { isArchived, mainVersion, modelNote, modelWords, sortedAliases } from './model/model';
import type { IModel } from './model/types';
import { MODEL } from './model/types';
import { Danger } from './view/danger';

const EXAMPLE = `import jupyter_ext as kf

kf.registry.register(
    model,
    "iris",
    metrics={"accuracy": 0.97},
    example=X.head(3),
    alias="champion",
)`;

/** Rows that a search gives at most. */
const FOUND = 100;

/** Models with their versions: in the panel, and in the table of all. */
export function modelsSection(kubeflow: IKubeflow): ISection {
  const { trans } = kubeflow;
  return {
    id: 'registry',
    rank: 50,
    title: trans.__('Models'),
    words: {
      items: trans.__('Models'),
      filter: trans.__('Filter models'),
      hint: trans.__('Filter: a name, accuracy > 0.9'),
      selected: trans.__('Selected models'),
      noMatch: trans.__('No model matches “%1”.')
    },
    kinds: [modelView(kubeflow) as unknown as IKindView],
    create: {
      label: trans.__('Register model'),
      first: trans.__('Register a file'),
      form: RegisterForm
    },
    empty: {
      sentence: trans.__(
        'No models yet. Register one, with its metrics and where it came from, to find it again, compare it, and serve it.'
      ),
      code: EXAMPLE
    },
    search: (query, signal) =>
      kubeflow.request<ISearchResult>(
        `registeredmodels:search?limit=${FOUND}&q=${encodeURIComponent(query)}`,
        { signal }
      ),
    compare: names => void kubeflow.execute(ModelCommands.compare, { names: [...names] }),
    columns: items => columns(items, trans)
  };
}

function modelView(kubeflow: IKubeflow): IKindView<IModel> {
  const { trans } = kubeflow;
  return {
    kind: MODEL,
    icon: modelIcon,
    title: model => model.metadata.name,
    note: model => modelNote(model, trans),
    words: modelWords,
    mark: model => <Mark archived={isArchived(model.spec)} trans={trans} />,
    time: model => model.status.updated ?? model.metadata.creationTimestamp,
    isPart: model => isArchived(model.spec),
    open: (name, place) => kubeflow.execute(ModelCommands.open, place ? { name, place } : { name }),
    actions: [
      { command: ModelCommands.serve, label: trans.__('Serve'), icon: runIcon, inRow: true },
      { command: ModelCommands.copyCode, label: trans.__('Copy as code') },
      { command: ModelCommands.archive, label: trans.__('Archive'), icon: modelIcon, bulk: true },
      { command: ModelCommands.restore, label: trans.__('Restore'), bulk: true },
      { command: ModelCommands.remove, label: trans.__('Delete…'), bulk: true }
    ]
  };
}

/** A model does not run: what it has for a state is whether it is put away. */
function Mark(props: { archived: boolean; trans: TranslationBundle }): JSX.Element {
  const { archived, trans } = props;
  const word = archived ? trans.__('Archived') : trans.__('Live');
  return (
    <span className={archived ? 'jk-RowMark jk-mod-archived' : 'jk-RowMark'} title={word}>
      <modelIcon.react tag="span" className="jk-RowMark-icon" />
      <span className="jk-RowMark-word">{word}</span>
    </span>
  );
}

function columns(items: readonly IWork[], trans: TranslationBundle): IColumn[] {
  const of = (item: IWork) => item as IModel;
  return [
    {
      id: 'versions',
      title: trans.__('Versions'),
      width: '58px',
      number: true,
      sort: item => of(item).status.versions,
      cell: item => of(item).status.versions ?? 0
    },
    {
      id: 'aliases',
      title: trans.__('Aliases'),
      width: 'minmax(90px, 1.2fr)',
      sort: item => sortedAliases(Object.keys(of(item).status.aliases ?? {}))[0],
      cell: item => <Aliases aliases={of(item).status.aliases ?? {}} />
    },
    {
      id: 'format',
      title: trans.__('Format'),
      width: 'minmax(84px, 0.9fr)',
      sort: item => mainVersion(of(item))?.format,
      cell: item => {
        const main = mainVersion(of(item));
        return (
          <span className="jk-Format">
            <span className="jk-Ellipsis">{main?.format || '–'}</span>
            <Danger danger={main?.danger} compact />
          </span>
        );
      }
    },
    ...metricColumns(items, item => mainVersion(of(item))?.metrics ?? {}, 2),
    {
      id: 'owner',
      title: trans.__('Owner'),
      width: 'minmax(48px, 0.6fr)',
      sort: item => of(item).spec.owner,
      cell: item => (
        <span className="jk-Ellipsis" dir="auto" title={of(item).spec.owner}>
          {of(item).spec.owner || '–'}
        </span>
      )
    },
    {
      id: 'created',
      title: trans.__('Changed'),
      width: '84px',
      sort: item => of(item).status.updated ?? item.metadata.creationTimestamp,
      cell: item => (
        <RelativeTime time={of(item).status.updated ?? item.metadata.creationTimestamp} />
      )
    }
  ];
}

function Aliases(props: { aliases: Readonly<Record<string, string>> }): JSX.Element {
  const names = sortedAliases(Object.keys(props.aliases));
  return (
    <span
      className="jk-Aliases"
      title={names.map(name => `${name} → ${props.aliases[name]}`).join('\n')}
    >
      {names.slice(0, 3).map(name => (
        <span key={name} className="jk-Alias" dir="auto">
          {name} <b>{props.aliases[name]}</b>
        </span>
      ))}
      {names.length > 3 && <span className="jk-Muted">+{names.length - 3}</span>}
    </span>
  );
}
