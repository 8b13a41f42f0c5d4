import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import { kubeflowIcon } from '../icons';
import type { IKubeflow } from '../tokens';
import { Boundary } from '../ui/boundary';
import { KubeflowProvider, SeenProvider, useKubeflow, useSignal } from '../ui/context';
import type { Memory } from './memory';
import { Now } from './now';
import { MemoryProvider } from './remembered';
import { Section } from './section';
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
        <SeenProvider value={this.isVisible}>
          <MemoryProvider value={this._memory}>
            <Body memory={this._memory} />
          </MemoryProvider>
        </SeenProvider>
      </KubeflowProvider>
    );
  }

  protected onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this.update();
  }

  protected onAfterHide(msg: Message): void {
    super.onAfterHide(msg);
    this.update();
  }

  protected onActivateRequest(msg: Message): void {
    const first = this.node.querySelector<HTMLElement>('[data-row], button');
    (first ?? this.node).focus();
  }
}

function Body(props: { memory: Memory }): JSX.Element {
  const { resources, sections } = useKubeflow();
  useSignal(resources.connectionChanged);
  useSignal(sections.changed);
  // A server without a capability says nothing of it; then neither do we.
  const known = resources.status?.cluster.capabilities ?? {};
  const shown = sections.all.filter(({ id }) => id === 'pipelines' || id in known);
  const parts = sections.parts.filter(({ id }) => known[id]?.available);
  const away = resources.connection === 'away';
  return (
    <div className={away ? 'jk-Panel-body jk-mod-away' : 'jk-Panel-body'}>
      <Where />
      <div className="jk-Panel-sections">
        <Boundary>
          <Now memory={props.memory} />
        </Boundary>
        {shown.map(section => (
          <Boundary key={section.id}>
            <Section section={section} memory={props.memory} />
          </Boundary>
        ))}
        {parts.map(({ id, body: Part }) => (
          <Boundary key={id}>
            <Part />
          </Boundary>
        ))}
        <OtherSections memory={props.memory} />
      </div>
    </div>
  );
}
