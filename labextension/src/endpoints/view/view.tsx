import * as React from 'react';

import type { IResourceWatch } from '../../model/resources';
import { useKubeflow } from '../../ui/context';
import { TabPanel, Tabs } from '../../ui/controls';
import { Watched } from '../../ui/watched';
import { PLURAL } from '../commands';
import { isStopped, variantsOf } from '../model/endpoint';
import type { IEndpoint } from '../model/types';
import { TrafficCharts } from './charts';
import { CodePane } from './code';
import { ComparePane } from './compare';
import { DriftPane } from './drift';
import { FailedVariant } from './failed';
import { EndpointHeader } from './header';
import { useMeasured } from './live';
import { VariantLog } from './log';
import { RequestsPane } from './requests';
import { RevisionsPane } from './revisions';
import { RulesPane } from './rules';
import { TesterPane } from './tester';
import { Traffic } from './traffic';
import { Variants } from './variants';

export type EndpointTab =
  'try' | 'requests' | 'compare' | 'rules' | 'drift' | 'revisions' | 'log' | 'code';

/** Where in the view one is; what is absent is as at first. */
export type EndpointPlace = {
  tab?: EndpointTab;
  /** The request whose bodies are shown. */
  request?: string;
  /** The variant whose log is shown. */
  part?: string;
};

export interface IPaneProps {
  readonly item: IEndpoint;
  readonly place: EndpointPlace;
  readonly onPlace: (change: Partial<EndpointPlace>) => void;
}

/** One endpoint: who answers which share, how well, and everything that can be done about it. */
export function EndpointView(props: {
  watch: IResourceWatch<IEndpoint>;
  place: EndpointPlace;
  onPlace: (change: Partial<EndpointPlace>) => void;
}): JSX.Element {
  const { watch, place, onPlace } = props;
  return (
    <Watched watch={watch} className="jk-Endpoint">
      {(item, gone) => (
        <>
          <EndpointHeader item={item} gone={gone} />
          <FailedVariant item={item} place={place} onPlace={onPlace} />
          <div className="jk-Endpoint-body">
            <Live item={item} place={place} onPlace={onPlace} />
            <Details item={item} place={place} onPlace={onPlace} />
          </div>
        </>
      )}
    </Watched>
  );
}

/** What changes each second is drawn here, and nothing else with it. */
function Live(props: IPaneProps): JSX.Element {
  const { item } = props;
  const measured = useMeasured(item);
  return (
    <div className="jk-Endpoint-live">
      <Traffic item={item} feed={measured.feed} />
      <Variants {...props} feed={measured.feed} count={measured.count} />
      <TrafficCharts item={item} feed={measured.feed} count={measured.count} />
    </div>
  );
}

function Details(props: IPaneProps): JSX.Element {
  const { item, place, onPlace } = props;
  const { trans } = useKubeflow();
  const id = React.useId();
  const tab = place.tab ?? 'try';
  const rules = item.status.rules?.length;
  return (
    <div className="jk-Detail jk-Endpoint-details">
      <Tabs
        id={id}
        label={trans.__('About this endpoint')}
        selected={tab}
        onSelect={next => onPlace({ tab: next })}
        tabs={[
          { id: 'try', label: trans.__('Try it') },
          { id: 'requests', label: trans.__('Requests') },
          { id: 'compare', label: trans.__('Compare') },
          { id: 'rules', label: trans.__('Rules'), count: rules },
          { id: 'drift', label: trans.__('Drift') },
          { id: 'revisions', label: trans.__('Revisions') },
          { id: 'log', label: trans.__('Log') },
          { id: 'code', label: trans.__('Code') }
        ]}
      />
      <TabPanel
        id={id}
        tab={tab}
        className={`jk-Detail-panel jk-Endpoint-panel jk-mod-${tab}`}
        focus={tab === 'log' || tab === 'requests' ? undefined : 0}
      >
        {tab === 'try' && <TesterPane {...props} />}
        {tab === 'requests' && <RequestsPane {...props} />}
        {tab === 'compare' && <ComparePane {...props} />}
        {tab === 'rules' && <RulesPane {...props} />}
        {tab === 'drift' && <DriftPane {...props} />}
        {tab === 'revisions' && <RevisionsPane {...props} />}
        {tab === 'log' && <VariantLog {...props} />}
        {tab === 'code' && <CodePane {...props} />}
      </TabPanel>
    </div>
  );
}

export function endpointPath(item: IEndpoint): string {
  return `${PLURAL}/${encodeURIComponent(item.metadata.name)}`;
}

/** Changes with what a variant or its model is, not with what it measured. */
export function modelsKey(item: IEndpoint): string {
  const variants = variantsOf(item).map(
    ({ name, version, state }) => `${name}:${version}:${state}`
  );
  return [item.metadata.uid, isStopped(item), ...variants].join();
}
