import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';

import { addComparison, addDocument, inFront } from '../app/documents';
import type { IKubeflow as Services } from '../tokens';
import { IKubeflow, PLUGIN } from '../tokens';
import { addModelCommands, ModelCommands } from './commands';
import { CompareModelsWidget } from './compare/widget';
import { modelIcon } from './icons';
import { MODEL } from './model/types';
import { modelsSection } from './section';
import { ModelWidget } from './widget';

const NEEDS_ARGUMENTS = new Set<string>([
  ModelCommands.open,
  ModelCommands.compare,
  ModelCommands.registerFile
]);

/** Models and their versions: in the panel, in a table, and each in a view of its own. */
export const modelsPlugin: JupyterFrontEndPlugin<void> = {
  id: `${PLUGIN}:models`,
  description: 'The model registry: find, compare, promote and register models.',
  autoStart: true,
  requires: [IKubeflow],
  optional: [ILayoutRestorer, ICommandPalette, IFileBrowserFactory],
  activate: (
    app: JupyterFrontEnd,
    kubeflow: Services,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    files: IFileBrowserFactory | null
  ): void => {
    const { trans } = kubeflow;
    kubeflow.sections.add(modelsSection(kubeflow));
    const tracker = addDocument(app, restorer, {
      command: ModelCommands.open,
      label: trans.__('Open Model'),
      namespace: 'jupyter-kubeflow-model',
      kinds: [MODEL],
      create: name => new ModelWidget(kubeflow, name)
    });
    addComparison(app, restorer, {
      command: ModelCommands.compare,
      label: trans.__('Compare Models'),
      namespace: 'jupyter-kubeflow-compare-models',
      hint: 'name:version, name@alias, or name',
      create: names => new CompareModelsWidget(kubeflow, names)
    });
    addModelCommands(app.commands, kubeflow, () => {
      const front = inFront(app, tracker);
      const widget = front && tracker.find(each => each.content.resource === front.name);
      return front && { ...front, version: widget?.content.place.version };
    });
    addFileCommand(app, kubeflow, files);
    const category = trans.__('Kubeflow');
    Object.values(ModelCommands)
      .filter(command => !NEEDS_ARGUMENTS.has(command))
      .forEach(command => palette?.addItem({ command, category }));
  }
};

/** *Register as Model…* of the file browser's context menu, which is declared in the schema. */
function addFileCommand(
  app: JupyterFrontEnd,
  kubeflow: Services,
  files: IFileBrowserFactory | null
): void {
  const selected = () => {
    const browser = files?.tracker.currentWidget;
    const found = browser ? [...browser.selectedItems()] : [];
    return found.length === 1 ? found[0] : null;
  };
  app.commands.addCommand(ModelCommands.registerFile, {
    label: kubeflow.trans.__('Register as Model…'),
    icon: modelIcon,
    isEnabled: () => selected() !== null,
    isVisible: () => {
      const item = selected();
      return item !== null && item.type !== 'notebook';
    },
    describedBy: { args: { type: 'object', properties: {} } },
    execute: () => {
      const item = selected();
      return item && kubeflow.execute(ModelCommands.register, { path: item.path });
    }
  });
}
