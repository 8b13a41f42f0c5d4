import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { kubeflowPlugin } from './app/plugin';
import { doctorPlugin } from './doctor/plugin';
import { notebookPlugin } from './notebook/plugin';
import { displayPlugin } from './pipelines/display';
import { pipelinesPlugin } from './pipelines/plugin';
import { sidebarPlugin } from './sidebar/plugin';
import { trainingPlugin } from './training/plugin';
import { tuningPlugin } from './tuning/plugin';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  kubeflowPlugin,
  pipelinesPlugin,
  tuningPlugin,
  sidebarPlugin,
  trainingPlugin,
  displayPlugin,
  doctorPlugin,
  notebookPlugin
];

export default plugins;
