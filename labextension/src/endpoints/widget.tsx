import * as React from 'react';

import { ResourceView } from '../app/documents';
import type { IResourceWatch } from '../model/resources';
import type { IKubeflow } from '../tokens';
import { ENDPOINT } from './commands';
import type { IEndpoint } from './model/types';
import type { EndpointPlace } from './view/view';
import { EndpointView } from './view/view';

/** One endpoint in the main area. */
export class EndpointWidget extends ResourceView<EndpointPlace> {
  constructor(kubeflow: IKubeflow, name: string) {
    super(kubeflow, ENDPOINT, name, {});
    this.title.caption = kubeflow.trans.__('Endpoint %1', name);
    this._watch = kubeflow.resources.follow<IEndpoint>(ENDPOINT, name);
  }

  dispose(): void {
    this._watch.dispose();
    super.dispose();
  }

  protected body(): JSX.Element {
    return <EndpointView watch={this._watch} place={this.place} onPlace={this.go} />;
  }

  private readonly _watch: IResourceWatch<IEndpoint>;
}
