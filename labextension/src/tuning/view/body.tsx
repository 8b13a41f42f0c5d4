import * as React from 'react';

import type { IResourceWatch } from '../../model/resources';
import { useKubeflow, useSignal } from '../../ui/context';
import { ErrorLine, TabPanel, Tabs } from '../../ui/controls';
import { useSelection } from '../../ui/resources';
import type { Brush } from '../model/brush';
import { NO_BRUSH } from '../model/brush';
import type { TrialFeed } from '../model/feed';
import type { IScene } from '../model/scene';
import { baseOf, withBrush } from '../model/scene';
import type { IExperiment } from '../model/types';
import { Progression } from './best';
import { CompareTrials } from './compare';
import { Coordinates } from './coordinates';
import { Curves } from './curves';
import { Header } from './header';
import { Slices } from './slices';
import { Stack } from './stack';
import { TrialTable } from './table';
import type { TrialTab } from './trial';
import { TrialDetail } from './trial';

export type PictureTab = 'best' | 'coordinates' | 'slices' | 'curves' | 'compare';

/** Where in the view one is; kept over a reload. */
export type ExperimentPlace = {
  tab: PictureTab;
  trial: string | null;
  detail: TrialTab;
};

interface IBodyProps {
  watch: IResourceWatch<IExperiment>;
  feed: TrialFeed;
  place: ExperimentPlace;
  go: (change: Partial<ExperimentPlace>) => void;
}

/** One experiment: header, pictures, the table of trials, and the trial that was chosen. */
export function ExperimentBody(props: IBodyProps): JSX.Element {
  const { watch, feed } = props;
  const { trans, resources } = useKubeflow();
  useSignal(watch.changed);
  useSignal(feed.changed);
  useSignal(resources.connectionChanged);
  const experiment = watch.item;
  if (!experiment) {
    return watch.error ? (
      <ErrorLine error={watch.error} onRetry={() => void watch.refresh()} />
    ) : (
      <p className="jk-Quiet">{trans.__('Loading…')}</p>
    );
  }
  const away = resources.connection === 'away';
  return (
    <div className={away ? 'jk-Tuning jk-mod-away' : 'jk-Tuning'}>
      {away && (
        <p className="jk-Where-away" role="status">
          {trans.__('The Jupyter server does not answer. Shown is what was last known.')}
        </p>
      )}
      {!away && watch.error && <ErrorLine error={watch.error} />}
      {!away && feed.error && <ErrorLine error={feed.error} onRetry={() => void feed.refresh()} />}
      <Panes {...props} experiment={experiment} />
    </div>
  );
}

function Panes(props: IBodyProps & { experiment: IExperiment }): JSX.Element {
  const { feed, place, go, experiment } = props;
  const { trans } = useKubeflow();
  const [brush, setBrush] = React.useState<Brush>(NO_BRUSH);
  const { items } = feed.list;
  const base = React.useMemo(() => baseOf(experiment, items), [experiment, items]);
  const scene = React.useMemo(() => withBrush(base, brush), [base, brush]);
  // The table follows a moment later, so that a range that is drawn stays under the pointer.
  const later = React.useDeferredValue(scene);
  const [visible, setVisible] = React.useState<readonly string[]>([]);
  const selection = useSelection(visible);
  const pick = React.useCallback((name: string) => go({ trial: name }), [go]);
  const trial = place.trial ? feed.list.get(place.trial) : undefined;
  const compare = React.useCallback(() => go({ tab: 'compare' }), [go]);
  return (
    <>
      <Header scene={scene} total={feed.total} onPick={pick} />
      {!feed.loaded && feed.total > 0 && (
        <p className="jk-Tuning-loading" role="status">
          {trans.__('Reading trials: %1 of %2', items.length, feed.total)}
        </p>
      )}
      <div
        className={trial ? 'jk-Tuning-panes jk-mod-detail' : 'jk-Tuning-panes'}
        onKeyDown={event => {
          if (event.key === 'Escape' && trial) {
            go({ trial: null });
          }
        }}
      >
        <Stack
          label={trans.__('Resize pictures')}
          top={
            <Pictures
              scene={scene}
              tab={place.tab}
              onTab={tab => go({ tab })}
              onBrush={setBrush}
              selected={place.trial}
              onPick={pick}
              compared={[...selection.selected]}
              onLeave={name => selection.select(name, false)}
            />
          }
          bottom={
            <TrialTable
              scene={later}
              selected={place.trial}
              onPick={pick}
              selection={selection}
              onCompare={compare}
              onVisible={setVisible}
            />
          }
        />
        {trial && (
          <TrialDetail
            scene={scene}
            trial={trial}
            tab={place.detail}
            onTab={detail => go({ detail })}
            onClose={() => go({ trial: null })}
          />
        )}
      </div>
    </>
  );
}

function Pictures(props: {
  scene: IScene;
  tab: PictureTab;
  onTab: (tab: PictureTab) => void;
  onBrush: (brush: Brush) => void;
  selected: string | null;
  onPick: (name: string) => void;
  compared: readonly string[];
  onLeave: (name: string) => void;
}): JSX.Element {
  const { scene, tab, selected, onPick } = props;
  const { trans } = useKubeflow();
  const id = React.useId();
  const shared = { scene, selected, onPick };
  return (
    <div className="jk-Pictures">
      <Tabs<PictureTab>
        id={id}
        label={trans.__('Pictures of the experiment')}
        selected={tab}
        onSelect={props.onTab}
        tabs={[
          { id: 'best', label: trans.__('Best so far') },
          { id: 'coordinates', label: trans.__('Parallel coordinates') },
          { id: 'slices', label: trans.__('Slices') },
          { id: 'curves', label: trans.__('Learning curves') },
          { id: 'compare', label: trans.__('Compare'), count: props.compared.length }
        ]}
      />
      <TabPanel id={id} tab={tab} className={`jk-Pictures-panel jk-mod-${tab}`} focus={-1}>
        {tab === 'best' && <Progression {...shared} />}
        {tab === 'coordinates' && <Coordinates {...shared} onBrush={props.onBrush} />}
        {tab === 'slices' && <Slices {...shared} />}
        {tab === 'curves' && <Curves {...shared} />}
        {tab === 'compare' && (
          <CompareTrials {...shared} names={props.compared} onLeave={props.onLeave} />
        )}
      </TabPanel>
    </div>
  );
}
