import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import { kubeflowIcon } from '../icons';
import type { IKubeflow } from '../tokens';
import { Boundary } from '../ui/boundary';
import { KubeflowProvider, useKubeflow, useSignal } from '../ui/context';
import type { Memory } from './memory';
import { Now } from './now';
import { Pipelines } from './pipelines';
import { OtherSections } from './sections';
import { Where } from './where';

/** What goes on now, and the way to everything else. */
export class KubeflowPanel extends ReactWidget {
  constructor(
    private readonly _kubeflow: IKubeflow,
    private readonly _memory: Memory
  ) {
    super();
    const { trans } = _kubeflow;
    this.id = 'jupyter-kubeflow-panel';
    this.addClass('jk-Panel');
    this.title.icon = kubeflowIcon;
    this.title.caption = trans.__('Kubeflow');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Kubeflow'));
    this.node.tabIndex = -1;
  }

  protected render(): JSX.Element {
    return (
      <KubeflowProvider value={this._kubeflow}>
        <Body memory={this._memory} />
      </KubeflowProvider>
    );
  }

  protected onActivateRequest(msg: Message): void {
    const first = this.node.querySelector<HTMLElement>('[data-row], button');
    (first ?? this.node).focus();
  }
}

function Body(props: { memory: Memory }): JSX.Element {
  const { resources } = useKubeflow();
  useSignal(resources.connectionChanged);
  const away = resources.connection === 'away';
  return (
    <div className={away ? 'jk-Panel-body jk-mod-away' : 'jk-Panel-body'}>
      <Where />
      <div className="jk-Panel-sections">
        <Boundary>
          <Now memory={props.memory} />
        </Boundary>
        <Boundary>
          <Pipelines memory={props.memory} />
        </Boundary>
        <OtherSections memory={props.memory} />
      </div>
    </div>
  );
}
