/** Where a trial's function comes from: the notebook in front, as it stands, or a file. */
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { NotebookActions } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';

import type { IFunction } from '../model/python';
import { functionsOf } from '../model/python';

export interface ISource {
  readonly path: string;
  readonly text: string;
  readonly functions: readonly IFunction[];
}

export interface ISources {
  readonly notebooks: INotebookTracker | null;
  readonly contents: Contents.IManager;
}

/** A cell's code without its magics; one whose body is no Python is left out. */
function plain(source: string): string {
  if (/^\s*%%(?!step\b|tune\b|train\b|time\b|timeit\b|capture\b)/.test(source)) {
    return '';
  }
  return source.replace(/^[ \t]*[%!].*$/gm, '');
}

export function notebookSource(sources: ISources): ISource | null {
  const panel = sources.notebooks?.currentWidget;
  const cells = panel?.content.model?.cells;
  if (!panel || !cells) {
    return null;
  }
  const text = Array.from(cells)
    .filter(cell => cell.type === 'code')
    .map(cell => plain(cell.sharedModel.getSource()))
    .join('\n\n');
  const path = sources.contents.localPath(panel.context.path);
  return { path, text, functions: functionsOf(text) };
}

export async function fileSource(sources: ISources, path: string): Promise<ISource> {
  const file = await sources.contents.get(path, { type: 'file', format: 'text', content: true });
  const text = String(file.content);
  return { path, text, functions: functionsOf(text) };
}

/** The function's own text: from its `def` to the next line at the margin. */
export function bodyText(source: ISource, name: string): string {
  const match = new RegExp(
    `^def[ \\t]+${name}\\b[\\s\\S]*?(?=^\\S(?!\\s*\\))|$(?![\\s\\S]))`,
    'm'
  ).exec(source.text);
  return match ? match[0] : '';
}

/** Run the cell that defines the function, as its own run button would; false if there is none. */
export async function runDefinition(panel: NotebookPanel, name: string): Promise<boolean> {
  const define = new RegExp(`^def[ \\t]+${name}\\b`, 'm');
  const cell = panel.content.widgets.find(
    each => each.model.type === 'code' && define.test(each.model.sharedModel.getSource())
  );
  await panel.sessionContext.ready;
  return cell ? NotebookActions.runCells(panel.content, [cell], panel.sessionContext) : false;
}

/** Run the form's code in the notebook's kernel; gives the name of the experiment it made. */
export async function tuneInKernel(panel: NotebookPanel, code: string): Promise<string> {
  await panel.sessionContext.ready;
  const kernel = panel.sessionContext.session?.kernel;
  if (!kernel) {
    throw new Error('The notebook has no kernel.');
  }
  const reply = await kernel.requestExecute({
    code,
    store_history: false,
    user_expressions: { name: 'experiment.name' }
  }).done;
  const { content } = reply;
  if (content.status === 'error') {
    throw new Error(`${content.ename}: ${content.evalue}`);
  }
  if (content.status !== 'ok') {
    throw new Error('The kernel was interrupted.');
  }
  const found = content.user_expressions.name as { data?: Record<string, string> } | undefined;
  return (found?.data?.['text/plain'] ?? '').replace(/^["']|["']$/g, '');
}
