import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ILayoutRestorer } from '@jupyterlab/application';
import type { ICommandPalette, MainAreaWidget } from '@jupyterlab/apputils';
import { InputDialog, Notification, WidgetTracker } from '@jupyterlab/apputils';
import type { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { runIcon } from '@jupyterlab/ui-components';

import { show, wrap } from '../../app/documents';
import { KubeflowError } from '../../model/errors';
import type { IKubeflow } from '../../tokens';
import { CommandIDs } from '../../tokens';
import { PipelineFileWidget } from './view';

const ENDINGS = /\.ya?ml$/i;

/** *Run as a Kubeflow Pipeline* of the file browser's context menu, which is declared in the schema. */
export function addPipelineFiles(
  app: JupyterFrontEnd,
  kubeflow: IKubeflow,
  restorer: ILayoutRestorer | null,
  palette: ICommandPalette | null,
  files: IFileBrowserFactory | null
): void {
  const { trans } = kubeflow;
  const tracker = new WidgetTracker<MainAreaWidget<PipelineFileWidget>>({
    namespace: 'jupyter-kubeflow-pipeline-file'
  });
  const selected = (): string | null => {
    const browser = files?.tracker.currentWidget;
    const found = browser ? [...browser.selectedItems()] : [];
    return found.length === 1 && ENDINGS.test(found[0].path) ? found[0].path : null;
  };
  app.commands.addCommand(CommandIDs.runPipelineFile, {
    label: trans.__('Run as a Kubeflow Pipeline…'),
    caption: trans.__('Look at a compiled pipeline, and run it on this machine'),
    icon: runIcon,
    isVisible: args => Boolean(args.path ?? args.ask) || selected() !== null,
    describedBy: {
      args: {
        type: 'object',
        properties: {
          path: { type: 'string', description: 'The .yaml file; the selected one without it' },
          ask: { type: 'boolean', description: 'Ask for the file where none is selected' }
        }
      }
    },
    execute: async args => {
      const path = await chosenPath(args.path, selected(), kubeflow);
      if (!path) {
        return;
      }
      const local = app.serviceManager.contents.localPath(path);
      const known = tracker.find(({ content }) => content.path === local);
      if (!known && !(await isPipeline(local, kubeflow))) {
        return;
      }
      const widget = known ?? wrap(new PipelineFileWidget(kubeflow, local));
      if (!known) {
        void tracker.add(widget);
      }
      show(app, widget);
    }
  });
  palette?.addItem({
    command: CommandIDs.runPipelineFile,
    category: trans.__('Kubeflow'),
    args: { ask: true }
  });
  void restorer?.restore(tracker, {
    command: CommandIDs.runPipelineFile,
    args: ({ content }) => ({ path: content.path }),
    name: ({ content }) => content.path
  });
}

async function chosenPath(
  given: unknown,
  selected: string | null,
  kubeflow: IKubeflow
): Promise<string | null> {
  if (typeof given === 'string') {
    return given;
  }
  if (selected) {
    return selected;
  }
  const { trans } = kubeflow;
  const answer = await InputDialog.getText({
    title: trans.__('Run a compiled pipeline'),
    label: trans.__('File, from the root of the file browser'),
    placeholder: 'pipeline.yaml',
    okLabel: trans.__('Open')
  });
  return answer.value?.trim() || null;
}

/** Somebody who chose another YAML by mistake reads one sentence, and nothing opens. */
async function isPipeline(path: string, kubeflow: IKubeflow): Promise<boolean> {
  try {
    await kubeflow.request('pipelines:check', { method: 'POST', body: { path } });
    return true;
  } catch (error) {
    // Toasts are short: the file by its name, and what it is instead.
    const { what } = KubeflowError.from(error);
    const name = path.split('/').pop() ?? path;
    Notification.warning(kubeflow.trans.__('%1: %2', name, what), { autoClose: 12_000 });
    return false;
  }
}
