import * as React from 'react';

import { ResourceView } from '../app/documents';
import type { IResourceWatch } from '../model/resources';
import type { IKubeflow } from '../tokens';
import { SESSION } from './model/app';
import type { ISpark } from './model/types';
import type { SparkPlace } from './view/view';
import { SparkView } from './view/view';

export class SparkWidget extends ResourceView<SparkPlace> {
  constructor(kubeflow: IKubeflow, kind: string, name: string) {
    super(kubeflow, kind, name, {});
    const { trans } = kubeflow;
    this.title.caption =
      kind === SESSION
        ? trans.__('Spark session %1', name)
        : trans.__('Spark application %1', name);
    this._watch = kubeflow.resources.follow<ISpark>(kind, name);
  }

  dispose(): void {
    this._watch.dispose();
    super.dispose();
  }

  protected body(): JSX.Element {
    return <SparkView watch={this._watch} place={this.place} onPlace={this.go} />;
  }

  private readonly _watch: IResourceWatch<ISpark>;
}
