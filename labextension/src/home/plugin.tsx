import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette, WidgetTracker } from '@jupyterlab/apputils';
import type { MainAreaWidget } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { homeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { show, View, wrap } from '../app/documents';
import { kubeflowIcon } from '../icons';
import type { IKubeflow as Services } from '../tokens';
import { CommandIDs, IKubeflow, PLUGIN } from '../tokens';
import { HomeFeed } from './feed';
import type { IPage } from './page';
import { Home } from './view';

class HomeView extends View {
  constructor(
    kubeflow: Services,
    private readonly _feed: HomeFeed
  ) {
    super(kubeflow, 'jupyter-kubeflow-home', kubeflow.trans.__('Kubeflow home'));
    this.title.icon = homeIcon;
  }

  protected body(): JSX.Element {
    return <Home feed={this._feed} />;
  }
}

/** One profile on one page: opened when somebody asks for it, never by itself. */
export const homePlugin: JupyterFrontEndPlugin<void> = {
  id: `${PLUGIN}:home`,
  description: 'The Kubeflow home: capacity, work, endpoints, components and storage of a profile.',
  autoStart: true,
  requires: [IKubeflow],
  optional: [ILayoutRestorer, ICommandPalette, ILauncher],
  activate: (
    app: JupyterFrontEnd,
    kubeflow: Services,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null
  ): void => {
    const { trans, resources } = kubeflow;
    const feed = new HomeFeed({
      request: () => kubeflow.request<IPage>('home'),
      later: (call, milliseconds) => {
        const timer = window.setTimeout(call, milliseconds);
        return () => window.clearTimeout(timer);
      },
      now: () => Date.now()
    });
    resources.heard.connect(() => feed.stir());
    resources.connectionChanged.connect(() => feed.stir());
    const tracker = new WidgetTracker<MainAreaWidget<HomeView>>({
      namespace: 'jupyter-kubeflow-home'
    });
    app.commands.addCommand(CommandIDs.openHome, {
      label: trans.__('Kubeflow Home'),
      caption: trans.__('What runs, what is free, what failed and what is missing, on one page'),
      icon: kubeflowIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => {
        const known = tracker.currentWidget;
        const widget = known ?? wrap(new HomeView(kubeflow, feed));
        if (!known) {
          // JupyterLab names every content alike.
          widget.content.node.setAttribute('aria-label', trans.__('Kubeflow home'));
          void tracker.add(widget);
        }
        show(app, widget);
        return widget;
      }
    });
    void restorer?.restore(tracker, { command: CommandIDs.openHome, name: () => 'home' });
    const category = trans.__('Kubeflow');
    palette?.addItem({ command: CommandIDs.openHome, category });
    launcher?.add({ command: CommandIDs.openHome, category, rank: 0 });
  }
};
