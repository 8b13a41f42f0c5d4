import * as React from 'react';

import { Comparison } from '../../app/documents';
import type { IResourceWatch } from '../../model/resources';
import type { IKubeflow } from '../../tokens';
import { JOB_KINDS } from '../commands';
import type { ITrainJob } from '../model/types';
import { CompareJobs } from './view';

/** Training jobs side by side, each followed as long as it stands here. */
export class CompareJobsWidget extends Comparison {
  constructor(kubeflow: IKubeflow, names: readonly string[]) {
    const label = kubeflow.trans.__('Compare training jobs');
    super(kubeflow, 'jupyter-kubeflow-compare-jobs', label, names);
  }

  dispose(): void {
    this._watches.forEach(watch => watch.dispose());
    super.dispose();
  }

  protected body(): JSX.Element {
    return <CompareJobs watches={this._follow()} onNames={this.onNames} />;
  }

  /** The same array as long as the names are the same. */
  private _follow(): readonly IResourceWatch<ITrainJob>[] {
    const { resources } = this.kubeflow;
    const old = this._watches;
    if (old.map(watch => watch.name).join() !== this.names.join()) {
      const kindOf = (name: string) =>
        JOB_KINDS.find(kind => resources.list(kind).get(name)) ?? JOB_KINDS[0];
      this._watches = this.names.map(
        name =>
          old.find(watch => watch.name === name) ?? resources.follow<ITrainJob>(kindOf(name), name)
      );
      old.filter(watch => !this._watches.includes(watch)).forEach(watch => watch.dispose());
    }
    return this._watches;
  }

  private _watches: readonly IResourceWatch<ITrainJob>[] = [];
}
