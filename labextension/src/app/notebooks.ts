import type { NotebookPanel } from '@jupyterlab/notebook';
import type { CommandRegistry } from '@lumino/commands';

import type { ICellPlace } from '../tokens';

function isNotebook(widget: unknown): widget is NotebookPanel {
  const panel = widget as Partial<NotebookPanel> | null | undefined;
  return Boolean(panel && panel.content && 'widgets' in panel.content && panel.sessionContext);
}

/** Open a notebook, or bring it to the front. */
export async function openNotebook(
  commands: CommandRegistry,
  path: string
): Promise<NotebookPanel | null> {
  const widget: unknown = await commands.execute('docmanager:open', { path });
  if (!isNotebook(widget)) {
    return null;
  }
  await widget.context.ready;
  await widget.revealed;
  return widget;
}

/** Select a cell and put the cursor where the fault is. Cells and lines count from 1. */
export async function selectCell(
  panel: NotebookPanel,
  place: ICellPlace,
  line?: number | null
): Promise<boolean> {
  const notebook = panel.content;
  const byId = notebook.widgets.findIndex(cell => cell.model.id === place.id);
  const index = byId >= 0 ? byId : (place.index ?? 0) - 1;
  const cell = notebook.widgets[index];
  if (!cell) {
    return false;
  }
  notebook.deselectAll();
  notebook.activeCellIndex = index;
  await notebook.scrollToItem(index, 'center').catch(() => undefined);
  await cell.ready.catch(() => undefined);
  if (line && cell.editor) {
    const position = { line: Math.min(line, cell.editor.lineCount) - 1, column: 0 };
    notebook.mode = 'edit';
    cell.editor.focus();
    cell.editor.setCursorPosition(position);
    cell.editor.revealPosition(position);
  } else {
    panel.activate();
  }
  cell.node.classList.add('jk-flash');
  window.setTimeout(() => cell.node.classList.remove('jk-flash'), 1600);
  return true;
}

/** Run code in the notebook's kernel, outside its cells. Rejects with what the kernel said. */
export async function runInKernel(panel: NotebookPanel, code: string): Promise<void> {
  await panel.sessionContext.ready;
  const kernel = panel.sessionContext.session?.kernel;
  if (!kernel) {
    throw new Error('The notebook has no kernel');
  }
  const reply = await kernel.requestExecute({ code, store_history: false }).done;
  if (reply.content.status === 'error') {
    throw new Error(`${reply.content.ename}: ${reply.content.evalue}`);
  }
}
