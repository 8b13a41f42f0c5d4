import * as React from 'react';

import { Comparison, View } from '../app/documents';
import { runTitle } from '../model/actions';
import type { IRunWatch } from '../model/resources';
import type { IKubeflow } from '../tokens';
import { CompareView } from './compare/view';
import type { IRunPlace } from './run/view';
import { RunView } from './run/view';

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

export class CompareWidget extends Comparison {
  constructor(kubeflow: IKubeflow, names: readonly string[]) {
    super(kubeflow, 'jupyter-kubeflow-compare', kubeflow.trans.__('Compare runs'), names);
  }

  protected body(): JSX.Element {
    return <CompareView names={this.names} onNames={this.onNames} />;
  }
}
