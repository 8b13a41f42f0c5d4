import * as React from 'react';

import { View } from '../../app/documents';
import { compareIcon } from '../../icons';
import type { IResourceWatch } from '../../model/resources';
import type { IKubeflow } from '../../tokens';
import { JOB_KINDS } from '../commands';
import type { ITrainJob } from '../model/types';
import { CompareJobs } from './view';

export class CompareJobsWidget extends View {
  constructor(kubeflow: IKubeflow, names: readonly string[]) {
    const label = kubeflow.trans.__('Compare training jobs');
    super(kubeflow, `jupyter-kubeflow-compare-jobs-${names.join('-')}`, label);
    this.title.icon = compareIcon;
    this._follow(names);
  }

  get names(): readonly string[] {
    return this._watches.map(watch => watch.name);
  }

  dispose(): void {
    this._watches.forEach(watch => watch.dispose());
    super.dispose();
  }

  protected body(): JSX.Element {
    return <CompareJobs watches={this._watches} onNames={this._onNames} />;
  }

  private _onNames = (names: readonly string[]) => {
    this._follow(names);
    this.moved();
  };

  private _follow(names: readonly string[]): void {
    const { resources } = this.kubeflow;
    const old = this._watches;
    const kindOf = (name: string) =>
      JOB_KINDS.find(kind => resources.list(kind).get(name)) ?? JOB_KINDS[0];
    this._watches = names.map(
      name =>
        old.find(watch => watch.name === name) ?? resources.follow<ITrainJob>(kindOf(name), name)
    );
    old.filter(watch => !this._watches.includes(watch)).forEach(watch => watch.dispose());
    this.title.caption = names.join('\n');
  }

  private _watches: readonly IResourceWatch<ITrainJob>[] = [];
}
