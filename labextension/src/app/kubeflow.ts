import { Clipboard, Notification, showErrorMessage } from '@jupyterlab/apputils';
import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';

import { Sections } from '../kinds';
import { KubeflowError } from '../model/errors';
import type { ResourceStore } from '../model/store';
import type { IRun } from '../model/types';
import type { Requester } from '../request';
import type { ICellPlace, IKubeflow, IRequestInit, IRunOptions, StepTab } from '../tokens';
import { CommandIDs } from '../tokens';
import {
  notebookOf,
  openFile,
  openNotebook,
  runInKernel,
  selectCell,
  serverPath
} from './notebooks';

/** Longer toasts are cut by JupyterLab. */
const TOAST = 140;

/** What a page may have beside us; each may be missing, as in Notebook 7 or a page without editors. */
export interface IPageParts {
  rendermime: IRenderMimeRegistry | null;
  notebooks: INotebookTracker | null;
  languages: IEditorLanguageRegistry | null;
}

export class Kubeflow implements IKubeflow {
  constructor(
    private readonly _requester: Requester,
    private readonly _commands: CommandRegistry,
    readonly resources: ResourceStore,
    readonly trans: TranslationBundle,
    private readonly _parts: IPageParts
  ) {}

  readonly sections = new Sections();

  get rendermime(): IRenderMimeRegistry | null {
    return this._parts.rendermime;
  }

  currentNotebook(): string | null {
    return this._parts.notebooks?.currentWidget?.context.path ?? null;
  }

  request<T>(path: string, init?: IRequestInit): Promise<T> {
    return this._requester.json<T>(path, init);
  }

  text(path: string, signal?: AbortSignal): Promise<string> {
    return this._requester.text(path, signal);
  }

  highlight = async (code: string, into: HTMLElement): Promise<boolean> => {
    const { languages } = this._parts;
    if (!languages) {
      return false;
    }
    await languages.highlight(code, languages.findBest('ipython') ?? null, into);
    return true;
  };

  url = (path: string): string => {
    return this._requester.url(path);
  };

  socket(path: string): WebSocket {
    return this._requester.socket(path);
  }

  async open(kind: string, name: string, place?: ReadonlyPartialJSONObject): Promise<void> {
    await this.sections.open(kind, name, place);
  }

  async openTable(section: string, filter?: string): Promise<void> {
    await this.execute(CommandIDs.showAll, { section, filter });
  }

  async openRun(name: string, step?: string, tab?: StepTab): Promise<void> {
    this.sections.wasOpened('Run', name);
    await this.execute(CommandIDs.openRun, { name, step, tab });
  }

  async openCompare(names: readonly string[]): Promise<void> {
    await this.execute(CommandIDs.openCompare, { names: [...names] });
  }

  async openRuns(filter?: string): Promise<void> {
    await this.openTable('pipelines', filter);
  }

  async goToCell(path: string, cell: ICellPlace, line?: number | null): Promise<void> {
    const panel = await openNotebook(this._commands, path);
    if (panel && !(await selectCell(panel, cell, line))) {
      Notification.warning(this.trans.__('The notebook no longer has this cell.'), {
        autoClose: 4000
      });
    }
  }

  whereIs(place: { cellId?: string | null; file?: string | null }): string | null {
    const notebook = place.cellId && notebookOf(this._parts.notebooks, place.cellId);
    return notebook || (place.file ? serverPath(place.file) : null);
  }

  async goToFile(path: string, line?: number | null): Promise<void> {
    await openFile(this._commands, path, line);
  }

  copyText = (text: string): void => {
    Clipboard.copyToSystem(text);
  };

  async copyCode(code: string, what?: string): Promise<void> {
    this.copyText(code);
    Notification.success(what ?? this.trans.__('The code is on the clipboard.'), {
      autoClose: 2500
    });
  }

  async runNotebook(options: IRunOptions): Promise<IRun> {
    const { from, only, cache, ...rest } = options;
    const chosen = Object.entries({ from, only, cache }).filter(([, value]) => value ?? false);
    const given = cache === false ? [...chosen, ['cache', false]] : chosen;
    const body = { ...rest, options: Object.fromEntries(given) };
    const run = await this.request<IRun>('runs', { method: 'POST', body });
    this.resources.runs.accept(run);
    return run;
  }

  async openHere(run: string, step: string): Promise<void> {
    const doing = this.trans.__('Loading what step “%1” was given', step);
    const id = Notification.emit(doing, 'in-progress', { autoClose: false });
    try {
      const found = await this.request<{ path: string; cellId?: string; code: string }>(
        `runs/${encodeURIComponent(run)}:open`,
        { method: 'POST', body: { step } }
      );
      const panel = await openNotebook(this._commands, found.path);
      if (!panel) {
        throw new Error(this.trans.__('%1 could not be opened as a notebook', found.path));
      }
      await runInKernel(panel, found.code);
      await selectCell(panel, { id: found.cellId });
      Notification.update({
        id,
        type: 'success',
        message: this.trans.__('The kernel has what step “%1” was given.', step),
        autoClose: 4000
      });
    } catch (error) {
      Notification.dismiss(id);
      this.fail(doing, error);
    }
  }

  fail(doing: string, error: unknown): void {
    const failure = KubeflowError.from(error);
    const whole = `${doing}: ${failure.message}`;
    const short = whole.length <= TOAST;
    const details = [failure.message, failure.hint, failure.options.details];
    Notification.error(short ? whole : `${whole.slice(0, TOAST - 1)}…`, {
      autoClose: false,
      actions: [
        {
          label: this.trans.__('Details'),
          callback: () =>
            void showErrorMessage(doing, details.filter(Boolean).join('\n\n') || failure.message)
        }
      ]
    });
  }

  execute(command: string, args: ReadonlyPartialJSONObject = {}): Promise<unknown> {
    return this._commands.execute(command, args);
  }

  get commandsChanged(): ISignal<unknown, unknown> {
    return this._commands.commandChanged;
  }

  whyNot(command: string, args: ReadonlyPartialJSONObject = {}): string | null {
    if (!this._commands.hasCommand(command)) {
      return this.trans.__('Not available here.');
    }
    if (this._commands.isEnabled(command, args)) {
      return null;
    }
    return this._commands.caption(command, args) || this.trans.__('Not possible now.');
  }
}
