import { addIcon, runIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { useKubeflow } from '../../ui/context';
import { Button, CopyButton } from '../../ui/controls';
import { HeaderActions, ViewHeader } from '../../ui/header';
import { RelativeTime } from '../../ui/time';
import { ModelCommands, SERVE } from '../commands';
import { CHAMPION, isArchived, mainVersion, sortedAliases } from '../model/model';
import type { IModel } from '../model/types';

/** What it is, what serves it, and what can be done with all of it. */
export function ModelHeader(props: { model: IModel }): JSX.Element {
  const { model } = props;
  const { trans } = useKubeflow();
  const { name } = model.metadata;
  const archived = isArchived(model.spec);
  return (
    <ViewHeader
      mark={archived && <span className="jk-Stage jk-mod-archived">{trans.__('Archived')}</span>}
      title={name}
      id={<CopyButton text={name} label={trans.__('Copy model name')} />}
      actions={<Actions model={model} archived={archived} />}
      reason={model.spec.description}
    >
      <Facts model={model} />
    </ViewHeader>
  );
}

function Actions(props: { model: IModel; archived: boolean }): JSX.Element {
  const { model, archived } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [asking, setAsking] = React.useState(false);
  const { name } = model.metadata;
  const { versions = 0, archived: away = 0 } = model.status;
  const main = mainVersion(model);
  const noServe = main
    ? kubeflow.whyNot(SERVE, { model: name, version: main.version })
    : trans.__('It has no version yet.');
  return (
    <HeaderActions
      label={trans.__('Actions on this model')}
      onAnswered={() => setAsking(false)}
      asked={
        asking && {
          question: trans._n(
            'Delete this model with its %1 version?',
            'Delete this model with its %1 versions?',
            versions + away
          ),
          verb: trans.__('Delete'),
          confirm: () => kubeflow.execute(ModelCommands.remove, { name, confirmed: true })
        }
      }
    >
      <Button
        label={serveWord(model, trans)}
        title={main ? trans.__('Version %1', main.version) : undefined}
        icon={runIcon}
        kind="primary"
        disabled={archived ? trans.__('It is archived: restore it first.') : noServe}
        onClick={() => kubeflow.execute(SERVE, { model: name, version: main!.version })}
      />
      <Button
        label={trans.__('Register version')}
        icon={addIcon}
        onClick={() => kubeflow.execute(ModelCommands.register, { name })}
      />
      <Button
        label={trans.__('Copy as code')}
        onClick={() => kubeflow.execute(ModelCommands.copyCode, { name, version: null })}
      />
      {archived ? (
        <Button
          label={trans.__('Restore')}
          onClick={() => kubeflow.execute(ModelCommands.restore, { name })}
        />
      ) : (
        <Button
          label={trans.__('Archive')}
          title={trans.__('Lists leave it out; nothing is removed')}
          onClick={() => kubeflow.execute(ModelCommands.archive, { name })}
        />
      )}
      <Button
        label={trans.__('Delete')}
        disabled={kubeflow.whyNot(ModelCommands.remove, { name })}
        onClick={() => setAsking(true)}
      />
    </HeaderActions>
  );
}

/** What the button serves: the champion, else the newest, by its name where that is short. */
function serveWord(model: IModel, trans: ReturnType<typeof useKubeflow>['trans']): string {
  const main = mainVersion(model);
  if (!main) {
    return trans.__('Serve');
  }
  if (main.aliases.includes(CHAMPION)) {
    return trans.__('Serve champion');
  }
  return main.version.length > 12
    ? trans.__('Serve newest')
    : trans.__('Serve version %1', main.version);
}

function Facts(props: { model: IModel }): JSX.Element {
  const { model } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { versions = 0, archived = 0, aliases = {}, endpoints = [] } = model.status;
  const names = sortedAliases(Object.keys(aliases));
  return (
    <ul className="jk-FactLine" aria-label={trans.__('Facts of this model')}>
      <li>{trans._n('%1 version', '%1 versions', versions)}</li>
      {archived > 0 && <li>{trans.__('%1 archived', archived)}</li>}
      {names.map(name => (
        <li key={name}>
          <span className="jk-Fact" dir="auto" title={`${name} → ${aliases[name]}`}>
            {name} → {aliases[name]}
          </span>
        </li>
      ))}
      {endpoints.map(endpoint => (
        <li key={`${endpoint.name}/${endpoint.variant}/${endpoint.version}`}>
          <button
            type="button"
            className="jk-Link"
            onClick={() => void kubeflow.open('InferenceService', endpoint.name)}
          >
            {trans.__('served by %1', endpoint.name)}
          </button>
        </li>
      ))}
      {model.spec.owner && <li dir="auto">{model.spec.owner}</li>}
      <li>
        {trans.__('changed')}{' '}
        <RelativeTime time={model.status.updated ?? model.metadata.creationTimestamp} />
      </li>
    </ul>
  );
}
