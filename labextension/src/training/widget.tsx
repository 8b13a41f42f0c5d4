import * as React from 'react';

import { ResourceView } from '../app/documents';
import type { IResourceWatch } from '../model/resources';
import type { IKubeflow } from '../tokens';
import type { ITrainJob } from './model/types';
import type { JobPlace } from './view/view';
import { JobView } from './view/view';

export class JobWidget extends ResourceView<JobPlace> {
  constructor(kubeflow: IKubeflow, kind: string, name: string) {
    super(kubeflow, kind, name, {});
    this.title.caption = kubeflow.trans.__('Training job %1', name);
    this._watch = kubeflow.resources.follow<ITrainJob>(kind, name);
  }

  dispose(): void {
    this._watch.dispose();
    super.dispose();
  }

  protected body(): JSX.Element {
    return <JobView watch={this._watch} place={this.place} onPlace={this.go} />;
  }

  private readonly _watch: IResourceWatch<ITrainJob>;
}
