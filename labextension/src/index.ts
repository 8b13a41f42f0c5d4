import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { kubeflowPlugin } from './app/plugin';
import { doctorPlugin } from './doctor/plugin';
import { notebookPlugin } from './notebook/plugin';
import { pipelinesPlugin } from './pipelines/plugin';
import { sidebarPlugin } from './sidebar/plugin';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  kubeflowPlugin,
  pipelinesPlugin,
  sidebarPlugin,
  doctorPlugin,
  notebookPlugin
];

export default plugins;
