import * as React from 'react';

import type { IResourceWatch } from '../../model/resources';
import { useKubeflow, useSignal } from '../../ui/context';
import { ErrorLine, TabPanel, Tabs } from '../../ui/controls';
import { Split } from '../../ui/split';
import type { VersionFeed } from '../model/feed';
import { mainVersion } from '../model/model';
import type { IModel, IVersion } from '../model/types';
import { Card } from './card';
import { useDetail } from './detail';
import { ModelHeader } from './header';
import { Lineage } from './lineage';
import { Packages } from './packages';
import { SignatureTab } from './signature';
import { Summary } from './summary';
import { VersionHead } from './versionhead';
import { Versions } from './versions';

export type ModelTab = 'summary' | 'lineage' | 'signature' | 'packages' | 'card';
/** A question about the selected version, asked in its place. */
export type Doing = 'alias' | 'copy' | 'delete';

/** Where in the view one is; what is absent is as at first. */
export type ModelPlace = {
  version?: string;
  tab?: ModelTab;
  doing?: Doing | null;
};

type Go = (change: Partial<ModelPlace>) => void;

/** One model: its versions, and beside them all that is known of the selected one. */
export function ModelView(props: {
  watch: IResourceWatch<IModel>;
  feed: VersionFeed;
  place: ModelPlace;
  go: Go;
}): JSX.Element {
  const { watch, feed, place, go } = props;
  const { trans, resources } = useKubeflow();
  useSignal(watch.changed);
  useSignal(feed.changed);
  useSignal(resources.connectionChanged);
  const { item: model, error } = watch;
  if (!model) {
    return error ? (
      <ErrorLine error={error} onRetry={() => void watch.refresh()} />
    ) : (
      <p className="jk-Quiet">{trans.__('Loading…')}</p>
    );
  }
  const away = resources.connection === 'away';
  const version = selectedVersion(model, feed, place);
  return (
    <div className={away ? 'jk-RunView jk-ModelView jk-mod-away' : 'jk-RunView jk-ModelView'}>
      {away && (
        <p className="jk-Where-away" role="status">
          {trans.__('The Jupyter server does not answer. Shown is what was last known.')}
        </p>
      )}
      {error && (
        <ErrorLine
          error={error}
          onRetry={error.status === 404 ? undefined : () => void watch.refresh()}
        />
      )}
      <ModelHeader model={model} />
      <Split
        label={trans.__('Resize versions')}
        share={56}
        left={
          <Versions
            model={model}
            feed={feed}
            selected={version?.version ?? null}
            onSelect={name => go({ version: name, doing: null })}
            onDo={(name, doing) => go({ version: name, doing })}
          />
        }
        right={<About model={model} version={version} place={place} go={go} />}
      />
    </div>
  );
}

/** The one chosen, else what the model's name means, else the newest that is there. */
function selectedVersion(model: IModel, feed: VersionFeed, place: ModelPlace): IVersion | null {
  const wanted = place.version;
  const main = mainVersion(model);
  if (wanted) {
    return feed.get(wanted) ?? (main?.version === wanted ? main : null);
  }
  return (main && feed.get(main.version)) ?? main ?? feed.items[0] ?? null;
}

function About(props: {
  model: IModel;
  version: IVersion | null;
  place: ModelPlace;
  go: Go;
}): JSX.Element {
  const { model, version, place, go } = props;
  const { trans } = useKubeflow();
  const id = React.useId();
  const detail = useDetail(model, version);
  const wanted = place.tab ?? 'summary';
  const tab: ModelTab = version ? wanted : 'card';
  const tabs: { id: ModelTab; label: string }[] = [
    { id: 'summary', label: trans.__('Summary') },
    { id: 'lineage', label: trans.__('Lineage') },
    { id: 'signature', label: trans.__('Signature') },
    { id: 'packages', label: trans.__('Packages') },
    { id: 'card', label: trans.__('Card') }
  ];
  const known = detail.value;
  return (
    <div className="jk-Detail">
      {version && (
        <VersionHead
          model={model}
          version={version}
          doing={place.doing ?? null}
          onDoing={doing => go({ version: version.version, doing })}
        />
      )}
      <Tabs
        id={id}
        label={trans.__('About this model')}
        selected={tab}
        onSelect={next => go({ tab: next })}
        tabs={version ? tabs : tabs.filter(each => each.id === 'card')}
      />
      <TabPanel
        id={id}
        tab={tab}
        className={tab === 'lineage' ? 'jk-Detail-panel jk-mod-log' : 'jk-Detail-panel'}
        focus={tab === 'lineage' ? undefined : 0}
      >
        {detail.error !== null && tab !== 'card' && (
          <ErrorLine error={detail.error} onRetry={detail.reload} />
        )}
        {version && tab === 'summary' && <Summary version={version} detail={known} />}
        {version && tab === 'lineage' && <Lineage model={model} version={version} />}
        {version && tab === 'signature' && <SignatureTab detail={known} loading={detail.loading} />}
        {version && tab === 'packages' && (
          <Packages model={model} version={version} detail={known} loading={detail.loading} />
        )}
        {tab === 'card' && <Card model={model} />}
      </TabPanel>
    </div>
  );
}
