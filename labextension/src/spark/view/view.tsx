import * as React from 'react';

import { pluralOf } from '../../model/kinds';
import type { IResourceWatch } from '../../model/resources';
import { isFinished } from '../../model/states';
import { useKubeflow } from '../../ui/context';
import { Button, TabPanel, Tabs } from '../../ui/controls';
import { Failure } from '../../ui/failure';
import { Log, PartSelect } from '../../ui/log';
import { Split } from '../../ui/split';
import { Watched } from '../../ui/watched';
import { askedOf, executorsOf, isSession } from '../model/app';
import type { ISpark } from '../model/types';
import { EventList } from './events';
import { Executors } from './executors';
import { SparkHeader } from './header';
import { Settings } from './settings';
import { Stages } from './stages';

export type SparkTab = 'executors' | 'log' | 'events' | 'settings';

/** Where in the view one is; what is absent is as at first. */
export type SparkPlace = {
  tab?: SparkTab;
  /** Whose log is shown; the driver's without. */
  part?: string;
};

export interface IPaneProps {
  app: ISpark;
  place: SparkPlace;
  onPlace: (change: Partial<SparkPlace>) => void;
}

/** One application or session: header, what failed, its stages, and beside them executors, log, events, settings. */
export function SparkView(props: {
  watch: IResourceWatch<ISpark>;
  place: SparkPlace;
  onPlace: (change: Partial<SparkPlace>) => void;
}): JSX.Element {
  const { watch, place, onPlace } = props;
  const { trans } = useKubeflow();
  return (
    <Watched watch={watch} className="jk-Spark">
      {(app, gone) => (
        <>
          <SparkHeader app={app} gone={gone} />
          <WhatFailed app={app} place={place} onPlace={onPlace} />
          <Split
            label={trans.__('Resize stages')}
            left={<Stages app={app} />}
            right={<Details app={app} place={place} onPlace={onPlace} />}
          />
        </>
      )}
    </Watched>
  );
}

function WhatFailed(props: IPaneProps): JSX.Element | null {
  const { app, onPlace } = props;
  const { trans } = useKubeflow();
  if (app.status.phase !== 'FAILED') {
    return null;
  }
  const reason = isSession(app)
    ? trans.__('The session failed.')
    : trans.__('The application failed.');
  return (
    <Failure error={app.status.error ?? null} reason={app.status.reason || reason}>
      <Button
        label={trans.__('Show log')}
        onClick={() => onPlace({ tab: 'log', part: undefined })}
      />
    </Failure>
  );
}

function Details(props: IPaneProps): JSX.Element {
  const { app, place, onPlace } = props;
  const { trans } = useKubeflow();
  const id = React.useId();
  const tab = place.tab ?? 'executors';
  return (
    <div className="jk-Detail">
      <Tabs
        id={id}
        label={isSession(app) ? trans.__('About this session') : trans.__('About this application')}
        selected={tab}
        onSelect={next => onPlace({ tab: next })}
        tabs={[
          { id: 'executors', label: trans.__('Executors') },
          { id: 'log', label: trans.__('Log') },
          { id: 'events', label: trans.__('Events') },
          { id: 'settings', label: trans.__('Settings') }
        ]}
      />
      <TabPanel
        id={id}
        tab={tab}
        className={tab === 'log' ? 'jk-Detail-panel jk-mod-log' : 'jk-Detail-panel'}
        focus={tab === 'log' ? undefined : 0}
      >
        {tab === 'executors' && <Executors {...props} />}
        {tab === 'log' && <SparkLog {...props} />}
        {tab === 'events' && <EventList app={app} />}
        {tab === 'settings' && <Settings app={app} />}
      </TabPanel>
    </div>
  );
}

function SparkLog(props: IPaneProps): JSX.Element {
  const { app, onPlace } = props;
  const { trans } = useKubeflow();
  const { name } = app.metadata;
  const parts = logParts(app).map((part): [string, string] => [
    part,
    part === 'driver' ? trans.__('Driver') : trans.__('Executor %1', part.slice('executor-'.length))
  ]);
  const part = parts.some(([each]) => each === props.place.part) ? props.place.part! : 'driver';
  return (
    <Log
      source={{
        path: `${pluralOf(app.kind)}/${encodeURIComponent(name)}`,
        query: part === 'driver' ? undefined : { part },
        attempt: app.status.attempt,
        file: part === 'driver' ? name : `${name}-${part}`
      }}
    >
      {parts.length > 1 && (
        <PartSelect part={part} parts={parts} onPart={next => onPlace({ part: next })} />
      )}
    </Log>
  );
}

/** What executors of their own printed is kept when they are over. */
export function logParts(app: ISpark): string[] {
  const apart = askedOf(app).executors > 1 && isFinished(app.status.phase);
  const ids = executorsOf(app)
    .map(({ id }) => id)
    .filter(id => id !== 'driver');
  return ['driver', ...(apart ? ids.map(id => `executor-${id}`) : [])];
}
