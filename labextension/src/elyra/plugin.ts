import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { WidgetTracker } from '@jupyterlab/apputils';
import type { DocumentRegistry, IDocumentWidget } from '@jupyterlab/docregistry';
import { ABCWidgetFactory, DocumentWidget } from '@jupyterlab/docregistry';

import { kubeflowIcon } from '../icons';
import type { IKubeflow as Services } from '../tokens';
import { IKubeflow, PLUGIN } from '../tokens';
import { hasElyra } from './files';
import type { OpenFile } from './view';
import { ElyraView } from './view';

const FACTORY = 'Kubeflow Pipeline';
/** The name that Elyra gives its file type. */
const FILE_TYPE = 'pipeline';

class ElyraFactory extends ABCWidgetFactory<IDocumentWidget<ElyraView>> {
  constructor(
    private readonly kubeflow: Services,
    private readonly open: OpenFile,
    options: DocumentRegistry.IWidgetFactoryOptions
  ) {
    super(options);
  }

  protected createNewWidget(context: DocumentRegistry.Context): IDocumentWidget<ElyraView> {
    const content = new ElyraView(this.kubeflow, context, this.open);
    const widget = new DocumentWidget({ content, context });
    widget.title.icon = kubeflowIcon;
    // JupyterLab names every content alike.
    content.node.setAttribute('aria-label', content.title.label);
    widget.toolbar.hide();
    return widget;
  }
}

/** Elyra's `.pipeline` files, opened: looked at, run and converted. Where Elyra is installed, its editor stays the default. */
export const elyraPlugin: JupyterFrontEndPlugin<void> = {
  id: `${PLUGIN}:elyra`,
  description: "Opens Elyra's pipelines.",
  autoStart: true,
  requires: [IKubeflow],
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, kubeflow: Services, restorer: ILayoutRestorer | null): void => {
    const { trans } = kubeflow;
    const theirs = hasElyra(app.listPlugins());
    if (!theirs) {
      app.docRegistry.addFileType({
        name: FILE_TYPE,
        displayName: trans.__('Elyra pipeline'),
        extensions: ['.pipeline'],
        mimeTypes: ['application/json'],
        fileFormat: 'text',
        contentType: 'file',
        icon: kubeflowIcon
      });
    }
    const open: OpenFile = (path, asText) =>
      void app.commands.execute('docmanager:open', {
        path,
        ...(asText ? { factory: 'Editor' } : {})
      });
    const factory = new ElyraFactory(kubeflow, open, {
      name: FACTORY,
      label: trans.__('Kubeflow Pipeline'),
      fileTypes: [FILE_TYPE],
      defaultFor: theirs ? [] : [FILE_TYPE],
      modelName: 'text',
      readOnly: true
    });
    const tracker = new WidgetTracker<IDocumentWidget<ElyraView>>({
      namespace: 'jupyter-kubeflow-elyra'
    });
    factory.widgetCreated.connect((_, widget) => void tracker.add(widget));
    app.docRegistry.addWidgetFactory(factory);
    void restorer?.restore(tracker, {
      command: 'docmanager:open',
      args: ({ context }) => ({ path: context.path, factory: FACTORY }),
      name: ({ context }) => context.path
    });
  }
};
