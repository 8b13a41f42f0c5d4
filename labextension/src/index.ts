import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { kubeflowPlugin } from './app/plugin';
import { doctorPlugin } from './doctor/plugin';
import { elyraPlugin } from './elyra/plugin';
import { endpointsPlugin } from './endpoints/plugin';
import { homePlugin } from './home/plugin';
import { modelsPlugin } from './models/plugin';
import { notebookPlugin } from './notebook/plugin';
import { displayPlugin } from './pipelines/display';
import { pipelinesPlugin } from './pipelines/plugin';
import { serversPlugin } from './servers/plugin';
import { sidebarPlugin } from './sidebar/plugin';
import { sparkPlugin } from './spark/plugin';
import { trainingPlugin } from './training/plugin';
import { tuningPlugin } from './tuning/plugin';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  kubeflowPlugin,
  pipelinesPlugin,
  tuningPlugin,
  sidebarPlugin,
  homePlugin,
  trainingPlugin,
  sparkPlugin,
  modelsPlugin,
  endpointsPlugin,
  serversPlugin,
  elyraPlugin,
  displayPlugin,
  doctorPlugin,
  notebookPlugin
];

export default plugins;
