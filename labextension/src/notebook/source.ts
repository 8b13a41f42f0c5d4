import type { ICellModel } from '@jupyterlab/cells';
import { isMarkdownCellModel, isRawCellModel } from '@jupyterlab/cells';
import type { INotebookModel, NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { ICellEdit, ICellText } from './model/cells';
import { applies } from './model/cells';
import type { INotebookSource } from './model/notebookPipeline';

type SharedCell = ICellModel['sharedModel'];

/** Only these make the pipeline another one; outputs and execution counts do not. */
interface ICellChange {
  readonly sourceChange?: unknown;
  readonly metadataChange?: unknown;
}

/** An open notebook, as the pipeline model reads and edits it. */
export class PanelSource implements INotebookSource {
  constructor(
    private readonly _panel: NotebookPanel,
    private readonly _contents: Pick<Contents.IManager, 'localPath'>
  ) {
    this._panel.context.pathChanged.connect(this._emit, this);
    this._panel.content.modelChanged.connect(this._onModelChanged, this);
    this._onModelChanged();
  }

  get path(): string {
    return this._contents.localPath(this._panel.context.path);
  }

  get changed(): ISignal<INotebookSource, void> {
    return this._changed;
  }

  get cells(): readonly ICellText[] {
    this._cells ??= Array.from(this._model?.cells ?? [], cellText);
    return this._cells;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      this._listen([]);
      Signal.clearData(this);
    }
  }

  content(): object {
    const model = this._model;
    return {
      nbformat: model?.nbformat ?? 4,
      nbformat_minor: model?.nbformatMinor ?? 5,
      metadata: model?.sharedModel.getMetadata() ?? {},
      cells: Array.from(model?.cells ?? [], cellContent)
    };
  }

  apply(edits: readonly ICellEdit[]): ICellEdit[] {
    if (this._panel.context.contentsModel?.writable === false) {
      return [];
    }
    const cells = new Map(Array.from(this._model?.cells ?? [], cell => [cell.id, cell]));
    return edits.filter(edit => {
      const cell = cells.get(edit.id);
      const fits = cell !== undefined && applies(edit, cellText(cell));
      if (fits) {
        applyTo(cell.sharedModel, edit);
      }
      return fits;
    });
  }

  private get _model(): INotebookModel | null {
    return this._panel.isDisposed ? null : this._panel.content.model;
  }

  private _onModelChanged(): void {
    this._model?.cells.changed.connect(this._onCellsChanged, this);
    this._model?.metadataChanged.connect(this._emit, this);
    this._onCellsChanged();
  }

  private _onCellsChanged(): void {
    this._listen(Array.from(this._model?.cells ?? [], cell => cell.sharedModel));
    this._emit();
  }

  private _listen(cells: readonly SharedCell[]): void {
    const wanted = new Set(cells);
    for (const cell of this._heard) {
      if (!wanted.has(cell)) {
        cell.changed.disconnect(this._onCellChanged, this);
      }
    }
    for (const cell of wanted) {
      if (!this._heard.has(cell)) {
        cell.changed.connect(this._onCellChanged, this);
      }
    }
    this._heard = wanted;
  }

  private _onCellChanged(_: unknown, change: ICellChange): void {
    if (change.sourceChange || change.metadataChange) {
      this._emit();
    }
  }

  private _emit(): void {
    this._cells = null;
    if (!this._isDisposed) {
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<INotebookSource, void>(this);
  private _heard = new Set<SharedCell>();
  private _cells: ICellText[] | null = null;
  private _isDisposed = false;
}

function cellText(cell: ICellModel): ICellText {
  const tags: unknown = cell.getMetadata('tags');
  return {
    id: cell.id,
    type: cell.type,
    source: cell.sharedModel.getSource(),
    tags: Array.isArray(tags) ? tags.filter(tag => typeof tag === 'string') : []
  };
}

function cellContent(cell: ICellModel): object {
  return {
    id: cell.id,
    cell_type: cell.type,
    source: cell.sharedModel.getSource(),
    metadata: cell.metadata,
    ...(cell.type === 'code' && { outputs: [], execution_count: null }),
    ...((isMarkdownCellModel(cell) || isRawCellModel(cell)) &&
      cell.attachments.length > 0 && { attachments: cell.attachments.toJSON() })
  };
}

function applyTo(cell: SharedCell, edit: ICellEdit): void {
  // Metadata alone is not undoable; inside an undoable transaction it is.
  cell.transact(() => {
    if (edit.text) {
      const { start, from, to } = edit.text;
      cell.updateSource(start, start + from.length, to);
    }
    if (edit.tags?.to.length) {
      cell.setMetadata('tags', [...edit.tags.to]);
    } else if (edit.tags) {
      cell.deleteMetadata('tags');
    }
  }, true);
}
