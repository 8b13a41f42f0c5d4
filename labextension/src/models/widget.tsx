import * as React from 'react';

import { ResourceView } from '../app/documents';
import type { IResourceWatch } from '../model/resources';
import type { IKubeflow } from '../tokens';
import { ask } from './commands';
import { VersionFeed } from './model/feed';
import type { IModel, IVersionsPage } from './model/types';
import { MODEL } from './model/types';
import type { ModelPlace } from './view/view';
import { ModelView } from './view/view';

/** One model in the main area, live. */
export class ModelWidget extends ResourceView<ModelPlace> {
  constructor(kubeflow: IKubeflow, name: string) {
    super(kubeflow, MODEL, name, {});
    this.title.caption = kubeflow.trans.__('Model %1', name);
    this._feed = new VersionFeed(query => ask<IVersionsPage>(kubeflow, name, 'versions', query));
    this._watch = kubeflow.resources.follow<IModel>(MODEL, name);
    this._watch.changed.connect(this._onChanged, this);
    void this._feed.refresh();
  }

  dispose(): void {
    if (!this.isDisposed) {
      this._watch.dispose();
      this._feed.dispose();
      super.dispose();
    }
  }

  protected body(): JSX.Element {
    return <ModelView watch={this._watch} feed={this._feed} place={this.place} go={this.go} />;
  }

  private _onChanged(): void {
    const version = Number(this._watch.item?.metadata.resourceVersion ?? 0);
    if (version !== this._read && !this._watch.error) {
      this._read = version;
      void this._feed.refresh();
    }
  }

  private readonly _watch: IResourceWatch<IModel>;
  private readonly _feed: VersionFeed;
  private _read = 0;
}
