import { ReactWidget } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

import { STATES } from '../../model/states';
import type { RunState } from '../../model/types';
import type { IKubeflow } from '../../tokens';
import { KubeflowProvider } from '../../ui/context';
import { CacheMark, StateIcon } from '../../ui/state';

/**
 * State icons as plain nodes, for chips that are drawn without React because there may be a thousand.
 *
 * The shapes are drawn once in a hidden sheet and copied from there.
 */
export class IconSheet {
  private constructor(private readonly _node: HTMLElement) {}

  static async create(kubeflow: IKubeflow): Promise<IconSheet> {
    const sheet = ReactWidget.create(
      <KubeflowProvider value={kubeflow}>
        {STATES.map(state => (
          <StateIcon key={state} state={state} size={12} />
        ))}
        <CacheMark size={12} />
      </KubeflowProvider>
    );
    sheet.addClass('jk-IconSheet');
    sheet.node.setAttribute('aria-hidden', 'true');
    Widget.attach(sheet, document.body);
    sheet.update();
    await Promise.resolve();
    await sheet.renderPromise;
    return new IconSheet(sheet.node);
  }

  state(state: RunState): Node | null {
    return this._node.querySelector(`[data-state="${state}"]`)?.cloneNode(true) ?? null;
  }

  cached(): Node | null {
    return this._node.querySelector('.jk-CacheMark')?.cloneNode(true) ?? null;
  }
}
