import { homeIcon, refreshIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { bytes } from '../format';
import type { IResources } from '../model/resources';
import type { IServerStatus } from '../model/types';
import { CommandIDs } from '../tokens';
import { useKubeflow, useSignal } from '../ui/context';
import { Button, Chevron, ErrorLine } from '../ui/controls';
import { useMachine } from '../ui/machine';
import { VERSION } from '../version';
import { Clusters } from './clusters';

type Health = 'good' | 'wait' | 'bad';

function health(resources: IResources): Health {
  if (resources.connection === 'away') {
    return 'bad';
  }
  if (resources.connection === 'connecting') {
    return 'wait';
  }
  return resources.trouble || !healthy(resources.status) ? 'wait' : 'good';
}

function healthy(status: IServerStatus | null): boolean {
  const said = status?.health;
  if (said && typeof said === 'object') {
    return said.ok !== false;
  }
  return !said || ['ok', 'healthy', 'good'].includes(said.toLowerCase());
}

function problems(status: IServerStatus | null): string[] {
  const said = status?.health;
  return said && typeof said === 'object' ? (said.problems ?? []) : [];
}

function healthWord(resources: IResources, trans: TranslationBundle): string {
  switch (resources.connection) {
    case 'away':
      return resources.trouble ? trans.__('Not available') : trans.__('Not connected');
    case 'connecting':
      return trans.__('Connecting');
    default:
      return resources.trouble || !healthy(resources.status)
        ? trans.__('Needs attention')
        : trans.__('Healthy');
  }
}

/** `This machine`, or the profile and its cluster. */
export function place(status: IServerStatus | null, trans: TranslationBundle): string {
  const cluster = status?.cluster;
  if (!cluster || !cluster.kind || cluster.kind.toLowerCase().startsWith('local')) {
    return trans.__('This machine');
  }
  const profile = cluster.profile ?? cluster.namespace;
  return profile ? trans.__('%1 on %2', profile, cluster.name) : (cluster.name ?? cluster.kind);
}

/** Where things run, and whether what is shown is true now. */
export function Where(): JSX.Element {
  const kubeflow = useKubeflow();
  const { resources, trans } = kubeflow;
  useSignal(resources.connectionChanged);
  const [open, setOpen] = React.useState(false);
  const state = health(resources);
  const word = healthWord(resources, trans);
  const { status } = resources;
  const profile = status?.cluster.profile ?? status?.cluster.namespace;
  const id = React.useId();
  return (
    <div className="jk-Where">
      <div className="jk-Where-line">
        <button
          type="button"
          className="jk-Where-button"
          aria-expanded={open}
          aria-controls={id}
          title={tooltip(resources, word, trans)}
          onClick={() => setOpen(!open)}
        >
          <span className={`jk-Dot jk-tone-${state}`} />
          <span className="jk-Where-name" dir="auto">
            {place(status, trans)}
          </span>
          {profile && profile !== 'default' && status?.cluster.kind?.startsWith('local') && (
            <span className="jk-Where-profile" dir="auto">
              {profile}
            </span>
          )}
          <span className={state === 'good' ? 'jk-visuallyHidden' : `jk-Where-word`}>{word}</span>
          <Chevron open={open} />
        </button>
        <Button
          label={trans.__('Kubeflow home')}
          icon={homeIcon}
          iconOnly
          onClick={() => kubeflow.execute(CommandIDs.openHome)}
        />
        <Button
          label={trans.__('Refresh')}
          icon={refreshIcon}
          iconOnly
          onClick={() => resources.refresh()}
        />
      </div>
      <Truth resources={resources} trans={trans} />
      {resources.trouble && (
        <ErrorLine error={resources.trouble} onRetry={() => void resources.refresh()} />
      )}
      <div id={id} hidden={!open} className="jk-Where-more">
        {open && <Clusters />}
        {open && <Facts status={status} trans={trans} />}
        {open && problems(status).length > 0 && (
          <ul className="jk-Where-problems" aria-label={trans.__('Problems')}>
            {problems(status).map(problem => (
              <li key={problem}>{problem}</li>
            ))}
          </ul>
        )}
        {open && (
          <Button
            label={trans.__('Check setup')}
            onClick={() => kubeflow.execute(CommandIDs.openDoctor)}
          />
        )}
      </div>
    </div>
  );
}

/** Said only when it is not plain: away, or just back. */
function Truth(props: { resources: IResources; trans: TranslationBundle }): JSX.Element | null {
  const { resources, trans } = props;
  const away = resources.connection === 'away';
  const [wasAway, setWasAway] = React.useState(false);
  React.useEffect(() => {
    if (away) {
      setWasAway(true);
    } else if (wasAway) {
      const timer = window.setTimeout(() => setWasAway(false), 6000);
      return () => window.clearTimeout(timer);
    }
    return undefined;
  }, [away, wasAway]);
  if (away && !resources.trouble) {
    return (
      <p className="jk-Where-away" role="status">
        {resources.updatedAt
          ? trans.__(
              'The Jupyter server does not answer. Shown is how it was at %1.',
              new Date(resources.updatedAt).toLocaleTimeString()
            )
          : trans.__('The Jupyter server does not answer. Trying again.')}
      </p>
    );
  }
  return wasAway && !away ? (
    <p className="jk-Where-back" role="status">
      {trans.__('Connected again, updated just now.')}
    </p>
  ) : null;
}

function Facts(props: { status: IServerStatus | null; trans: TranslationBundle }): JSX.Element {
  const { status, trans } = props;
  const machine = useMachine() ?? status?.machine;
  const gpus = machine?.gpus ?? [];
  const free = machine?.free;
  const rows: [string, string][] = [
    [trans.__('Version'), status?.version ?? VERSION],
    [trans.__('Profile'), status?.cluster.profile ?? status?.cluster.namespace ?? '–']
  ];
  if (machine) {
    rows.push(
      [trans.__('CPU'), machine.cpuMilli ? trans.__('%1 cores', machine.cpuMilli / 1000) : '–'],
      [trans.__('Memory'), bytes(machine.memoryBytes)],
      [trans.__('GPU'), gpus.length ? gpus.map(gpu => gpu.name).join(', ') : trans.__('none')]
    );
    if (free?.cpuMilli !== undefined) {
      const left = trans.__('%1 cores, %2', free.cpuMilli / 1000, bytes(free.memoryBytes));
      rows.push([trans.__('Free now'), left]);
    }
  }
  return (
    <dl className="jk-Facts">
      {rows.map(([name, value]) => (
        <React.Fragment key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </React.Fragment>
      ))}
    </dl>
  );
}

function tooltip(resources: IResources, word: string, trans: TranslationBundle): string {
  const { status } = resources;
  const lines = [word];
  if (status) {
    lines.push(trans.__('Version %1', status.version));
    const missing = Object.entries(status.cluster.capabilities ?? {})
      .filter(([, capability]) => !capability.available)
      .map(([name, capability]) => `${name}: ${capability.reason ?? trans.__('not available')}`);
    lines.push(...missing, ...problems(status));
  }
  return lines.join('\n');
}
