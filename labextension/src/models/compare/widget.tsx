import * as React from 'react';

import { Comparison } from '../../app/documents';
import type { IKubeflow } from '../../tokens';
import { CompareModels } from './view';

/** Versions of models side by side. */
export class CompareModelsWidget extends Comparison {
  constructor(kubeflow: IKubeflow, names: readonly string[]) {
    const label = kubeflow.trans.__('Compare models');
    super(kubeflow, 'jupyter-kubeflow-compare-models', label, names);
  }

  protected body(): JSX.Element {
    return <CompareModels names={this.names} onNames={this.onNames} />;
  }
}
