import type { ILayoutRestorer, JupyterFrontEnd } from '@jupyterlab/application';
import type { MainAreaWidget } from '@jupyterlab/apputils';
import { WidgetTracker } from '@jupyterlab/apputils';
import * as React from 'react';

import { kubeflowIcon } from '../icons';
import type { IKubeflow } from '../tokens';
import { CommandIDs } from '../tokens';
import { useKubeflow, useSignal } from '../ui/context';
import { ResourceTable } from '../ui/table';
import { show, View, wrap } from './documents';

class TableView extends View {
  constructor(
    kubeflow: IKubeflow,
    readonly section: string,
    private _filter = ''
  ) {
    const label = kubeflow.sections.get(section)?.words.items ?? kubeflow.trans.__('Resources');
    super(kubeflow, `jupyter-kubeflow-table-${section}`, label);
  }

  get filter(): string {
    return this._filter;
  }

  set filter(filter: string) {
    this._filter = filter;
    this.moved();
  }

  protected body(): JSX.Element {
    return <Body section={this.section} filter={this._filter} onFilter={this._onFilter} />;
  }

  private _onFilter = (filter: string) => {
    this.filter = filter;
  };
}

function Body(props: {
  section: string;
  filter: string;
  onFilter: (filter: string) => void;
}): JSX.Element {
  const { sections, trans } = useKubeflow();
  useSignal(sections.changed);
  const section = sections.get(props.section);
  return section ? (
    <ResourceTable section={section} filter={props.filter} onFilter={props.onFilter} />
  ) : (
    <p className="jk-Quiet">{trans.__('Loading…')}</p>
  );
}

/** One table for each section, opened by *Show all*. */
export function addTables(
  app: JupyterFrontEnd,
  kubeflow: IKubeflow,
  restorer: ILayoutRestorer | null
): void {
  const tracker = new WidgetTracker<MainAreaWidget<TableView>>({
    namespace: 'jupyter-kubeflow-table'
  });
  app.commands.addCommand(CommandIDs.showAll, {
    label: kubeflow.trans.__('Show All'),
    icon: kubeflowIcon,
    isEnabled: args => Boolean(args.section),
    describedBy: {
      args: {
        type: 'object',
        required: ['section'],
        properties: { section: { type: 'string' }, filter: { type: 'string' } }
      }
    },
    execute: args => {
      const section = String(args.section);
      const known = tracker.find(widget => widget.content.section === section);
      const widget = known ?? wrap(new TableView(kubeflow, section));
      if (typeof args.filter === 'string') {
        widget.content.filter = args.filter;
      }
      if (!known) {
        widget.content.placeChanged.connect(() => void tracker.save(widget));
        void tracker.add(widget);
      }
      show(app, widget);
      return widget;
    }
  });
  void restorer?.restore(tracker, {
    command: CommandIDs.showAll,
    args: ({ content }) => ({ section: content.section, filter: content.filter }),
    name: ({ content }) => content.section
  });
}
