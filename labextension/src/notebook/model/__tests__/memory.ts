/** A notebook and a list of runs in memory, with the same rules as the real ones. */
import { DisposableDelegate } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';

import type {
  Connection,
  IListChange,
  IResourceList,
  IRunResources,
  IRunWatch
} from '../../../model/resources';
import type { IResource, IRun, ISchedule } from '../../../model/types';
import type { ICellEdit, ICellText } from '../cells';
import { applies, edited } from '../cells';
import type { INotebookSource } from '../notebookPipeline';

export class MemoryNotebook implements INotebookSource {
  constructor(public cells: readonly ICellText[]) {}

  path = 'work/demo.ipynb';
  readonly changed: Signal<INotebookSource, void> = new Signal<INotebookSource, void>(this);
  isDisposed = false;

  content(): object {
    return { cells: this.cells };
  }

  apply(edits: readonly ICellEdit[]): ICellEdit[] {
    const done: ICellEdit[] = [];
    for (const edit of edits) {
      const cell = this.cells.find(item => item.id === edit.id);
      if (cell && applies(edit, cell)) {
        this.write(cell.id, edited(cell, edit));
        done.push(edit);
      }
    }
    return done;
  }

  write(id: string, cell: ICellText): void {
    this.cells = this.cells.map(item => (item.id === id ? cell : item));
    this.changed.emit();
  }

  dispose(): void {
    this.isDisposed = true;
    Signal.clearData(this);
  }
}

class MemoryList<T extends IResource<object>> {
  constructor(readonly plural: string) {}

  items: T[] = [];
  loaded = true;
  more = false;
  error = null;
  readonly changed = new Signal<IResourceList<T>, IListChange>(this as unknown as IResourceList<T>);

  get(name: string): T | undefined {
    return this.items.find(item => item.metadata.name === name);
  }

  subscribe(): DisposableDelegate {
    return new DisposableDelegate(() => undefined);
  }

  refresh(): Promise<void> {
    return Promise.resolve();
  }

  loadMore(): Promise<void> {
    return Promise.resolve();
  }
}

export class MemoryResources implements IRunResources {
  readonly runs = new MemoryList<IRun>('runs') as MemoryList<IRun> & IResourceList<IRun>;
  readonly schedules = new MemoryList<ISchedule>('recurringruns') as MemoryList<ISchedule> &
    IResourceList<ISchedule>;
  readonly connectionChanged: Signal<IRunResources, void> = new Signal<IRunResources, void>(this);
  connection: Connection = 'live';
  status = null;
  trouble = null;
  updatedAt = 1;
  /** Names of the runs that are watched now. */
  readonly watched: string[] = [];
  private readonly _watches = new Set<() => void>();

  put(run: IRun): void {
    const others = this.runs.items.filter(item => item.metadata.name !== run.metadata.name);
    this.runs.items = [run, ...others];
    this._watches.forEach(tell => tell());
    this.runs.changed.emit({ names: new Set([run.metadata.name]), order: true });
  }

  watch(name: string): IRunWatch {
    const { runs, watched, _watches } = this;
    const tell = (): void => watch.changed.emit();
    const watch = {
      kind: 'Run',
      name,
      get item(): IRun | null {
        return runs.get(name) ?? null;
      },
      error: null,
      isDisposed: false,
      changed: new Signal<IRunWatch, void>({} as IRunWatch),
      get run(): IRun | null {
        return runs.get(name) ?? null;
      },
      refresh: () => Promise.resolve(),
      dispose: (): void => {
        watch.isDisposed = true;
        _watches.delete(tell);
        watched.splice(watched.indexOf(name), 1);
      }
    };
    _watches.add(tell);
    watched.push(name);
    return watch;
  }

  refresh(): Promise<void> {
    return Promise.resolve();
  }
}
