import { PageConfig } from '@jupyterlab/coreutils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
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

/** Put a code cell into the notebook, as a change that its own undo takes back. */
export function insertCell(
  panel: NotebookPanel,
  at: number,
  source: string,
  tags: readonly string[] = []
): void {
  const shared = panel.content.model?.sharedModel;
  shared?.transact(() => {
    shared.insertCell(at, {
      cell_type: 'code',
      source,
      metadata: tags.length ? { tags: [...tags] } : {}
    });
  });
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

/** The open notebook that has this cell. */
export function notebookOf(notebooks: INotebookTracker | null, cellId: string): string | null {
  const found = notebooks?.find(panel =>
    panel.content.widgets.some(cell => cell.model.id === cellId)
  );
  return found?.context.path ?? null;
}

interface IPosition {
  line: number;
  column: number;
}

/** What a widget of the file editor has, of which this extension knows nothing else. */
interface IEditorWidget {
  content: {
    editor?: {
      lineCount: number;
      setCursorPosition(position: IPosition): void;
      revealPosition(position: IPosition): void;
    };
  };
  context: { ready: Promise<void> };
}

/** Open a text file with the cursor at a line from 1. */
export async function openFile(
  commands: CommandRegistry,
  path: string,
  line?: number | null
): Promise<void> {
  const widget = (await commands.execute('docmanager:open', {
    path,
    factory: 'Editor'
  })) as IEditorWidget | undefined;
  await widget?.context.ready;
  const editor = widget?.content.editor;
  if (editor && line) {
    const position = { line: Math.min(line, editor.lineCount) - 1, column: 0 };
    editor.setCursorPosition(position);
    editor.revealPosition(position);
  }
}

/** A path of the machine as the server's contents know it; null if it lies elsewhere. */
export function serverPath(file: string): string | null {
  const root = PageConfig.getOption('serverRoot').replace(/\/$/, '');
  return root && file.startsWith(`${root}/`) ? file.slice(root.length + 1) : null;
}
