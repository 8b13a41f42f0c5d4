import type { Message } from '@lumino/messaging';
import * as React from 'react';

import { ResourceView } from '../app/documents';
import type { IResourceWatch } from '../model/resources';
import { isActive } from '../model/states';
import type { IKubeflow } from '../tokens';
import { EXPERIMENT } from './commands';
import { experimentTitle } from './model/code';
import { TrialFeed } from './model/feed';
import type { IExperiment, ITrialPage } from './model/types';
import type { ExperimentPlace } from './view/body';
import { ExperimentBody } from './view/body';

/** While trials run their values move without an event: asked for so often, in milliseconds. */
const BEAT = 2_000;

/** One experiment in the main area, live while it is seen. */
export class ExperimentView extends ResourceView<ExperimentPlace> {
  constructor(kubeflow: IKubeflow, name: string) {
    super(kubeflow, EXPERIMENT, name, { tab: 'best', trial: null, detail: 'summary' });
    const path = `experiments/${encodeURIComponent(name)}:trials`;
    this._watch = kubeflow.resources.follow<IExperiment>(EXPERIMENT, name);
    this._feed = new TrialFeed({
      trials: query => kubeflow.request<ITrialPage>(path, { method: 'POST', body: query }),
      later: (call, milliseconds) => {
        const timer = window.setTimeout(call, milliseconds);
        return () => window.clearTimeout(timer);
      },
      now: () => Date.now()
    });
    this._watch.changed.connect(this._onChanged, this);
    this._timer = window.setInterval(() => this._beat(), BEAT);
    void this._feed.refresh();
  }

  dispose(): void {
    if (!this.isDisposed) {
      window.clearInterval(this._timer);
      this._watch.dispose();
      this._feed.dispose();
      super.dispose();
    }
  }

  protected body(): JSX.Element {
    return <ExperimentBody watch={this._watch} feed={this._feed} place={this.place} go={this.go} />;
  }

  protected onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this._feed.poke();
  }

  private _onChanged(): void {
    const { item } = this._watch;
    if (item) {
      this.title.label = experimentTitle(item);
      this.title.caption = `${experimentTitle(item)}\n${this.resource}`;
      if (this.isVisible && !this._watch.error) {
        this._feed.poke();
      }
    }
  }

  private _beat(): void {
    if (this.isVisible && !document.hidden && isActive(this._watch.item?.status.phase)) {
      this._feed.poke();
    }
  }

  private readonly _watch: IResourceWatch<IExperiment>;
  private readonly _feed: TrialFeed;
  private readonly _timer: number;
}
