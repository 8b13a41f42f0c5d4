import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, MainAreaWidget } from '@jupyterlab/apputils';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { kubeflowIcon } from '../icons';
import type { IKubeflow as Services } from '../tokens';
import { CommandIDs, IKubeflow, PLUGIN } from '../tokens';
import { KubeflowProvider, useFetched, useKubeflow } from '../ui/context';
import { Button, CopyButton, ErrorLine } from '../ui/controls';
import { StateIcon } from '../ui/state';

/** One finding; a cluster's also say how grave it is. */
interface ICheck {
  name: string;
  ok: boolean;
  detail?: string;
  fix?: string | null;
  severity?: 'ok' | 'warning' | 'problem' | 'unknown';
}

type Severity = NonNullable<ICheck['severity']>;

const severity = (check: ICheck): Severity => check.severity ?? (check.ok ? 'ok' : 'problem');

/** The gravest first. */
const ORDER: readonly Severity[] = ['problem', 'unknown', 'warning', 'ok'];
/** Shapes differ, not only colours. */
const SHAPES: Record<Severity, string> = {
  ok: 'SUCCEEDED',
  warning: 'PAUSED',
  problem: 'FAILED',
  unknown: 'SKIPPED'
};

/** What the installation needs, what is missing, and the command that mends it. */
export const doctorPlugin: JupyterFrontEndPlugin<void> = {
  id: `${PLUGIN}:doctor`,
  description: 'Checks the setup of jupyter-kubeflow.',
  autoStart: true,
  requires: [IKubeflow],
  optional: [ICommandPalette],
  activate: (app: JupyterFrontEnd, kubeflow: Services, palette: ICommandPalette | null): void => {
    const { trans } = kubeflow;
    app.commands.addCommand(CommandIDs.openDoctor, {
      label: trans.__('Check Setup'),
      icon: kubeflowIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => {
        const content = ReactWidget.create(
          <KubeflowProvider value={kubeflow}>
            <Doctor />
          </KubeflowProvider>
        );
        content.addClass('jk-View');
        const widget = new MainAreaWidget({ content });
        // JupyterLab names every content alike.
        content.node.setAttribute('role', 'region');
        content.node.setAttribute('aria-label', trans.__('Setup'));
        widget.toolbar.hide();
        widget.title.label = trans.__('Setup');
        widget.title.icon = kubeflowIcon;
        app.shell.add(widget, 'main');
        app.shell.activateById(widget.id);
      }
    });
    palette?.addItem({ command: CommandIDs.openDoctor, category: trans.__('Kubeflow') });
  }
};

function Doctor(): JSX.Element {
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [cluster, setCluster] = React.useState(false);
  const path = cluster ? 'doctor?cluster=true' : 'doctor';
  const { value, error, reload } = useFetched(path, signal =>
    kubeflow.request<{ checks: ICheck[] }>(path, { signal })
  );
  const sorted = [...(value?.checks ?? [])].sort(
    (a, b) => ORDER.indexOf(severity(a)) - ORDER.indexOf(severity(b))
  );
  return (
    <div className="jk-Doctor">
      <div className="jk-Compare-head">
        <h1>{cluster ? trans.__('Setup of the cluster') : trans.__('Setup')}</h1>
        <span className="jk-Spacer" />
        <Button
          label={trans.__('Kubernetes cluster')}
          title={trans.__(
            'Check the cluster of the server’s kubeconfig; nothing is changed there.'
          )}
          pressed={cluster}
          onClick={() => setCluster(!cluster)}
        />
        <Button label={trans.__('Check again')} onClick={reload} />
        <Button
          label={trans.__('Copy as code')}
          onClick={() => kubeflow.copyCode(`!jupyter kf doctor${cluster ? ' --cluster' : ''}`)}
        />
      </div>
      {error ? <ErrorLine error={error} onRetry={reload} /> : null}
      {!value && !error && <p className="jk-Quiet">{trans.__('Checking…')}</p>}
      <ul className="jk-Plain" aria-label={trans.__('Checks')}>
        {sorted.map((check, index) => (
          <Check key={`${check.name}/${index}`} check={check} />
        ))}
      </ul>
    </div>
  );
}

function Check(props: { check: ICheck }): JSX.Element {
  const { check } = props;
  const { trans } = useKubeflow();
  const words: Record<Severity, string> = {
    ok: trans.__('In order'),
    warning: trans.__('Worth a look'),
    problem: trans.__('Needs attention'),
    unknown: trans.__('Not known')
  };
  const grave = severity(check);
  return (
    <li className="jk-Check">
      <StateIcon state={SHAPES[grave]} label={words[grave]} />
      <div>
        <strong>{check.name}</strong>
        <p>{check.detail}</p>
        {check.fix && grave !== 'ok' && (
          <div className="jk-Code">
            <pre tabIndex={0}>{check.fix}</pre>
            <CopyButton text={check.fix} label={trans.__('Copy')} />
          </div>
        )}
      </div>
    </li>
  );
}
