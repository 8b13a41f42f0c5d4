import { ReactWidget } from '@jupyterlab/ui-components';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';
import * as React from 'react';

import { compareIcon, kubeflowIcon } from '../icons';
import { runTitle } from '../model/actions';
import type { IRunWatch } from '../model/resources';
import type { IKubeflow } from '../tokens';
import { Boundary } from '../ui/boundary';
import { KubeflowProvider } from '../ui/context';
import { CompareView } from './compare/view';
import type { IRunPlace } from './run/view';
import { RunView } from './run/view';
import { RunsTable } from './table';

/** A view in the main area: a region with a name, drawn with the shared services. */
abstract class View extends ReactWidget {
  constructor(
    protected readonly kubeflow: IKubeflow,
    id: string,
    label: string
  ) {
    super();
    this.id = id;
    this.addClass('jk-View');
    this.title.label = label;
    this.title.closable = true;
    this.title.icon = kubeflowIcon;
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', label);
    this.node.tabIndex = -1;
  }

  /** Emitted when what is to be restored changed. */
  get placeChanged(): ISignal<this, void> {
    return this._placeChanged;
  }

  protected abstract body(): JSX.Element;

  protected render(): JSX.Element {
    return (
      <KubeflowProvider value={this.kubeflow}>
        <Boundary>{this.body()}</Boundary>
      </KubeflowProvider>
    );
  }

  protected moved(): void {
    this._placeChanged.emit();
    this.update();
  }

  protected onActivateRequest(): void {
    const inside = this.node.contains(document.activeElement);
    if (!inside) {
      this.node.focus({ preventScroll: true });
    }
  }

  private _placeChanged = new Signal<this, void>(this);
}

export class RunWidget extends View {
  constructor(
    kubeflow: IKubeflow,
    readonly run: string,
    private _place: IRunPlace = { tab: 'summary', picture: 'graph' }
  ) {
    super(kubeflow, `jupyter-kubeflow-run-${run}`, run);
    this._watch = kubeflow.resources.watch(run);
    this._watch.changed.connect(this._rename, this);
    this.title.caption = kubeflow.trans.__('Run %1', run);
  }

  get place(): IRunPlace {
    return this._place;
  }

  set place(place: IRunPlace) {
    this._place = place;
    this.moved();
  }

  dispose(): void {
    this._watch.dispose();
    super.dispose();
  }

  protected body(): JSX.Element {
    return <RunView watch={this._watch} place={this._place} onPlace={this._onPlace} />;
  }

  private _onPlace = (place: IRunPlace) => {
    this.place = place;
  };

  private _rename(): void {
    const { run } = this._watch;
    if (run) {
      this.title.label = runTitle(run);
      this.title.caption = `${runTitle(run)}\n${this.run}`;
    }
  }

  private readonly _watch: IRunWatch;
}

export class RunsWidget extends View {
  constructor(
    kubeflow: IKubeflow,
    private _filter = ''
  ) {
    super(kubeflow, 'jupyter-kubeflow-runs', kubeflow.trans.__('Runs'));
  }

  get filter(): string {
    return this._filter;
  }

  set filter(filter: string) {
    this._filter = filter;
    this.moved();
  }

  protected body(): JSX.Element {
    return <RunsTable filter={this._filter} onFilter={this._onFilter} />;
  }

  private _onFilter = (filter: string) => {
    this.filter = filter;
  };
}

export class CompareWidget extends View {
  constructor(
    kubeflow: IKubeflow,
    private _names: readonly string[]
  ) {
    const label = kubeflow.trans.__('Compare runs');
    super(kubeflow, `jupyter-kubeflow-compare-${_names.join('-')}`, label);
    this.title.icon = compareIcon;
    this.title.caption = _names.join('\n');
  }

  get names(): readonly string[] {
    return this._names;
  }

  protected body(): JSX.Element {
    return <CompareView names={this._names} onNames={this._onNames} />;
  }

  private _onNames = (names: readonly string[]) => {
    this._names = names;
    this.title.caption = names.join('\n');
    this.moved();
  };
}
