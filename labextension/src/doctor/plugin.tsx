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

interface ICheck {
  name: string;
  ok: boolean;
  detail?: string;
  fix?: string | null;
}

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
        content.node.setAttribute('role', 'region');
        content.node.setAttribute('aria-label', trans.__('Setup'));
        const widget = new MainAreaWidget({ content });
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
  const { value, error, reload } = useFetched('doctor', signal =>
    kubeflow.request<{ checks: ICheck[] }>('doctor', { signal })
  );
  const sorted = [...(value?.checks ?? [])].sort((a, b) => Number(a.ok) - Number(b.ok));
  return (
    <div className="jk-Doctor">
      <div className="jk-Compare-head">
        <h1>{trans.__('Setup')}</h1>
        <span className="jk-Spacer" />
        <Button label={trans.__('Check again')} onClick={reload} />
        <Button
          label={trans.__('Copy as code')}
          onClick={() => kubeflow.copyCode('!jupyter kubeflow doctor')}
        />
      </div>
      {error ? <ErrorLine error={error} onRetry={reload} /> : null}
      {!value && !error && <p className="jk-Quiet">{trans.__('Checking…')}</p>}
      <ul className="jk-Plain" aria-label={trans.__('Checks')}>
        {sorted.map(check => (
          <li key={check.name} className="jk-Check">
            <StateIcon
              state={check.ok ? 'SUCCEEDED' : 'FAILED'}
              label={check.ok ? trans.__('In order') : trans.__('Needs attention')}
            />
            <div>
              <strong>{check.name}</strong>
              <p>{check.detail}</p>
              {check.fix && !check.ok && (
                <div className="jk-Code">
                  <pre tabIndex={0}>{check.fix}</pre>
                  <CopyButton text={check.fix} label={trans.__('Copy')} />
                </div>
              )}
            </div>
          </li>
        ))}
      </ul>
    </div>
  );
}
