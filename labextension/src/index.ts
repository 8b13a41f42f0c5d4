import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { notebookPlugin } from './notebook/plugin';

const plugins: JupyterFrontEndPlugin<unknown>[] = [notebookPlugin];

export default plugins;
