import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { Token } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';

import type { Sections } from './kinds';
import type { IResources } from './model/resources';
import type { IRun, Json } from './model/types';

export const PLUGIN = '@jupyter-kubeflow/labextension';

/** What every part of the front end shares: the server, the live resources, and the ways to go somewhere. */
export const IKubeflow = new Token<IKubeflow>(
  `${PLUGIN}:IKubeflow`,
  'Live Kubeflow resources, and ways to show and start runs.'
);

export interface IKubeflow {
  readonly trans: TranslationBundle;
  readonly rendermime: IRenderMimeRegistry | null;
  /** Runs and schedules, kept up to date by the server's events. */
  readonly resources: IResources;
  /** What the capabilities registered: how their resources are shown, made and listed. */
  readonly sections: Sections;

  /** One JSON call. The path is relative to `<base_url>kubeflow/v1/`. Rejects with `KubeflowError`. */
  request<T>(path: string, init?: IRequestInit): Promise<T>;
  /** The same for plain text. */
  text(path: string, signal?: AbortSignal): Promise<string>;
  /** Draw Python code in the editor's colours into an element; false if the page has no editor. */
  highlight(code: string, into: HTMLElement): Promise<boolean>;
  /** Absolute URL of a path of the server, for links and images. */
  url(path: string): string;
  /** A websocket to a path of the server. */
  socket(path: string): WebSocket;

  /** Show one resource in the main area; `place` is what its view understands (a tab, a rank). */
  open(kind: string, name: string, place?: ReadonlyPartialJSONObject): Promise<void>;
  /** Show the table of a section, optionally filtered. */
  openTable(section: string, filter?: string): Promise<void>;
  /** Show a run in the main area, optionally with one step selected (and one tab of it). */
  openRun(name: string, step?: string, tab?: StepTab): Promise<void>;
  /** Show two to ten runs as columns. */
  openCompare(names: readonly string[]): Promise<void>;
  /** Show the table of all runs, optionally filtered. */
  openRuns(filter?: string): Promise<void>;
  /** Open the notebook and select a cell (by id, or by number from 1), with the cursor at a line from 1. */
  goToCell(path: string, cell: ICellPlace, line?: number | null): Promise<void>;
  /** Path of the open notebook that has the cell, or of the file, if the server has it; null otherwise. */
  whereIs(place: { cellId?: string | null; file?: string | null }): string | null;
  /** Open a text file with the cursor at a line from 1. */
  goToFile(path: string, line?: number | null): Promise<void>;
  /** Put text on the clipboard without a word. */
  copyText(text: string): void;
  /** Put code on the clipboard and say so in a toast. */
  copyCode(code: string, what?: string): Promise<void>;
  /** Start a run. The panel shows it at once; the reply is the created run. */
  runNotebook(options: IRunOptions): Promise<IRun>;
  /** Path of the notebook in front, or null. */
  currentNotebook(): string | null;
  /** Load a step's inputs into the notebook's live kernel and select the failing cell. */
  openHere(run: string, step: string): Promise<void>;
  /** Show a sentence about what went wrong, with its details behind a button. */
  fail(doing: string, error: unknown): void;
  /** Run a command of ours, for example from `CommandIDs`. */
  execute(command: string, args?: ReadonlyPartialJSONObject): Promise<unknown>;
  /** Emitted when some command may have become usable or unusable. */
  readonly commandsChanged: ISignal<unknown, unknown>;
  /** Why a command cannot be used with these arguments now; null if it can. */
  whyNot(command: string, args?: ReadonlyPartialJSONObject): string | null;
}

/** The tabs of a step: what it did, its values, what it wrote, its cells. */
export type StepTab = 'summary' | 'values' | 'log' | 'code';

export interface IRequestInit {
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  body?: Json | object;
  signal?: AbortSignal;
}

export interface ICellPlace {
  id?: string | null;
  index?: number | null;
}

export interface IRunOptions {
  path?: string;
  /** Unsaved content of the notebook; the path then only names it. */
  notebook?: Json | object;
  parameters?: Record<string, Json>;
  from?: string | null;
  only?: string | null;
  cache?: boolean;
}

export namespace CommandIDs {
  export const open = 'kubeflow:open';
  export const showAll = 'kubeflow:show-all';
  export const create = 'kubeflow:new';
  export const openRun = 'kubeflow:open-run';
  export const openRuns = 'kubeflow:open-runs';
  export const openCompare = 'kubeflow:compare-runs';
  export const runCurrent = 'kubeflow:run-notebook';
  export const stopRun = 'kubeflow:stop-run';
  export const resumeRun = 'kubeflow:resume-run';
  export const rerunRun = 'kubeflow:rerun-run';
  export const reproduceRun = 'kubeflow:reproduce-run';
  export const exportRun = 'kubeflow:export-run';
  export const deleteRun = 'kubeflow:delete-run';
  export const copyName = 'kubeflow:copy-name';
  export const copyCode = 'kubeflow:copy-code';
  export const openHere = 'kubeflow:open-here';
  /** A compiled pipeline before it runs: takes `{path}`; without one the file that is selected. */
  export const runPipelineFile = 'kubeflow:run-pipeline-file';
  export const showPanel = 'kubeflow:show-panel';
  export const refresh = 'kubeflow:refresh';
  export const newSchedule = 'kubeflow:create-schedule';
  /** Of what a run, a job or a search made: takes `{kind, name, step?, value?}`. */
  export const registerMade = 'kubeflow:register-what-was-made';
  export const openDoctor = 'kubeflow:check-setup';
  export const openHome = 'kubeflow:open-home';
}
