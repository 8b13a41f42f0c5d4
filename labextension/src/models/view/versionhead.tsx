import { closeIcon, runIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { useKubeflow } from '../../ui/context';
import { Button, CopyButton, InlineConfirm } from '../../ui/controls';
import { openMenu } from '../../ui/menu';
import { ModelCommands, setAlias, SERVE } from '../commands';
import { CHAMPION, isArchived, reference, sortedAliases } from '../model/model';
import type { IModel, IVersion } from '../model/types';
import { AliasForm, CopyForm } from './forms';
import { versionEntries } from './versionmenu';
import type { Doing } from './view';

interface IHeadProps {
  model: IModel;
  version: IVersion;
  doing: Doing | null;
  onDoing: (doing: Doing | null) => void;
}

/** The selected version: its aliases, what can be done with it, and the question just asked. */
export function VersionHead(props: IHeadProps): JSX.Element {
  const { model, version, doing } = props;
  const { trans } = useKubeflow();
  const stop = () => props.onDoing(null);
  return (
    <div className="jk-VersionHead">
      <div className="jk-VersionHead-top">
        <h2 dir="auto" title={reference(version)}>
          {trans.__('Version %1', version.version)}
        </h2>
        <CopyButton text={reference(version)} label={trans.__('Copy name and version')} />
        <Aliases model={model} version={version} />
        <span className="jk-Spacer" />
        <Actions {...props} />
      </div>
      {doing === 'alias' && <AliasForm model={model} version={version} onDone={stop} />}
      {doing === 'copy' && <CopyForm model={model} version={version} onDone={stop} />}
      {doing === 'delete' && <Delete {...props} />}
    </div>
  );
}

function Aliases(props: { model: IModel; version: IVersion }): JSX.Element | null {
  const { model, version } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  if (!version.aliases.length) {
    return null;
  }
  const remove = (alias: string) =>
    setAlias(kubeflow, model.metadata.name, alias, null).catch(error =>
      kubeflow.fail(trans.__('Taking away %1', alias), error)
    );
  return (
    <ul className="jk-Aliases" aria-label={trans.__('Aliases')}>
      {sortedAliases(version.aliases).map(alias => (
        <li key={alias} className="jk-Alias">
          <span dir="auto" className="jk-Ellipsis" title={alias}>
            {alias}
          </span>
          <button
            type="button"
            aria-label={trans.__('Take away alias %1', alias)}
            title={trans.__('Take away')}
            onClick={() => void remove(alias)}
          >
            <closeIcon.react tag="span" className="jk-Alias-icon" />
          </button>
        </li>
      ))}
    </ul>
  );
}

function Actions(props: IHeadProps): JSX.Element {
  const { version, onDoing } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const args = { name: version.model, version: version.version };
  const serving = { model: version.model, version: version.version };
  const archived = isArchived(version) ? trans.__('It is archived: restore it first.') : null;
  const champion = version.aliases.includes(CHAMPION);
  return (
    <div
      className="jk-VersionHead-actions"
      role="toolbar"
      aria-label={trans.__('Actions on this version')}
    >
      <Button
        label={trans.__('Serve')}
        icon={runIcon}
        disabled={archived ?? kubeflow.whyNot(SERVE, serving)}
        onClick={() => kubeflow.execute(SERVE, serving)}
      />
      <Button
        label={trans.__('Promote')}
        title={trans.__('Let the alias “champion” mean this version')}
        disabled={champion ? trans.__('It is the champion already.') : archived}
        onClick={() => kubeflow.execute(ModelCommands.promote, args)}
      />
      <Button
        label={trans.__('Alias…')}
        pressed={props.doing === 'alias'}
        onClick={() => onDoing(props.doing === 'alias' ? null : 'alias')}
      />
      <button
        type="button"
        className="jk-Button jk-mod-icon"
        aria-haspopup="menu"
        aria-label={trans.__('More actions for this version')}
        title={trans.__('More actions')}
        onClick={event => openMenu(event, versionEntries(kubeflow, version, onDoing))}
      >
        ⋯
      </button>
    </div>
  );
}

function Delete(props: IHeadProps): JSX.Element {
  const { version, onDoing } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const names = sortedAliases(version.aliases).join(', ');
  const question = names
    ? trans.__('Delete version %1, which %2 means, with its files?', version.version, names)
    : trans.__('Delete version %1 with its files?', version.version);
  return (
    <InlineConfirm
      question={question}
      verb={trans.__('Delete')}
      onCancel={() => onDoing(null)}
      onConfirm={async () => {
        await kubeflow.execute(ModelCommands.removeVersion, {
          name: version.model,
          version: version.version,
          confirmed: true
        });
        onDoing(null);
      }}
    />
  );
}
