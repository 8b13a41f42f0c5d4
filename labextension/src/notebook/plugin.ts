import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

/** The notebook's own parts: cell chips, inspector, pipeline bar, problems and parameters. */
export const notebookPlugin: JupyterFrontEndPlugin<void> = {
  id: '@jupyter-kubeflow/labextension:notebook',
  description: 'Shows the pipeline of a notebook at its cells.',
  autoStart: true,
  activate: () => undefined
};
