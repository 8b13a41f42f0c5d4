/** Changes to an open notebook through its shared model, so that its own undo takes them back. */
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';

import { insertCell } from '../app/notebooks';
import { PanelSource } from '../notebook/source';
import { PARAMETER_TAGS, parametersCell, planParameters } from './model/notebook';
import type { Scalar } from './model/types';

type Parameters = Readonly<Record<string, Scalar>>;

async function show(panel: NotebookPanel, index: number): Promise<void> {
  const notebook = panel.content;
  notebook.deselectAll();
  notebook.activeCellIndex = index;
  await notebook.scrollToItem(index, 'center').catch(() => undefined);
  const node = notebook.widgets[index]?.node;
  node?.classList.add('jk-flash');
  window.setTimeout(() => node?.classList.remove('jk-flash'), 1600);
}

/** Below the active cell, a cell that binds the parameters; it becomes the active one. */
export async function putIntoCell(
  panel: NotebookPanel,
  parameters: Parameters,
  origin: string
): Promise<void> {
  await panel.context.ready; // what is put in before is lost when the file's cells arrive
  const at = panel.content.activeCellIndex + 1;
  insertCell(panel, at, parametersCell(parameters, origin));
  await show(panel, at);
}

/** Make the values the notebook's pipeline parameters. Gives the names that changed. */
export async function setPipelineParameters(
  panel: NotebookPanel,
  contents: Pick<Contents.IManager, 'localPath'>,
  parameters: Parameters,
  origin: string
): Promise<readonly string[]> {
  await panel.context.ready;
  const source = new PanelSource(panel, contents);
  try {
    const cells = source.cells;
    const plan = planParameters(cells, parameters, origin);
    const shared = panel.content.model?.sharedModel;
    shared?.transact(() => source.apply(plan.edits));
    const first = cells.findIndex(cell => cell.type === 'code');
    if (plan.cell) {
      insertCell(panel, Math.max(0, first), plan.cell, [PARAMETER_TAGS[0]]);
    }
    const touched = plan.edits[0]?.id;
    const index = plan.cell ? Math.max(0, first) : cells.findIndex(cell => cell.id === touched);
    if (index >= 0) {
      await show(panel, index);
    }
    return plan.changed;
  } finally {
    source.dispose();
  }
}
