import * as React from 'react';

import type { IFolds } from '../../graph/Graph';
import { Graph, useFolds } from '../../graph/Graph';
import { runGraph } from '../../graph/model';
import type { Chosen } from '../../graph/outline';
import { isGroup, NONE_CHOSEN, Outline } from '../../graph/outline';
import type { IRunWatch } from '../../model/resources';
import type { IRun } from '../../model/types';
import type { StepTab } from '../../tokens';
import { useKubeflow, useSignal } from '../../ui/context';
import { ErrorLine, TabPanel, Tabs } from '../../ui/controls';
import { ErrorBanner, failedStep } from './banner';
import { StepDetail } from './detail';
import { GroupDetail } from './group';
import { Header } from './header';
import { Overview } from './overview';
import { Split } from '../../ui/split';
import { Timeline } from './timeline';

export interface IRunPlace {
  /** Undefined until somebody chose; null for the whole run. */
  step?: string | null;
  tab: StepTab;
  picture: 'graph' | 'timeline';
}

/** Which iteration of each loop is looked at follows from what was selected last in it. */
function useChosen(run: IRun | null, step: string | null | undefined): Chosen {
  const [chosen, setChosen] = React.useState<Chosen>(NONE_CHOSEN);
  const outline = React.useMemo(
    () => Outline.of(run?.spec.pipeline?.graph),
    [run?.spec.pipeline?.graph]
  );
  React.useEffect(() => {
    if (outline) {
      setChosen(old => outline.choose(old, step));
    }
  }, [outline, step]);
  return chosen;
}

/** One run: header, what failed, the graph or the timeline, and the selected step. */
export function RunView(props: {
  watch: IRunWatch;
  place: IRunPlace;
  onPlace: (place: IRunPlace) => void;
}): JSX.Element {
  const { watch, place, onPlace } = props;
  const { trans, resources } = useKubeflow();
  useSignal(watch.changed);
  useSignal(resources.connectionChanged);
  const { run, error } = watch;
  const step = place.step === undefined && run ? failedStep(run) : (place.step ?? null);
  const chosen = useChosen(run, step);
  if (!run) {
    return error ? (
      <ErrorLine error={error} onRetry={() => void watch.refresh()} />
    ) : (
      <p className="jk-Quiet">{trans.__('Loading…')}</p>
    );
  }
  const away = resources.connection === 'away';
  const select = (name: string | null) => onPlace({ ...place, step: name });
  return (
    <div
      className={away ? 'jk-RunView jk-mod-away' : 'jk-RunView'}
      onKeyDown={event => {
        if (event.key === 'Escape' && step) {
          select(null);
        }
      }}
    >
      {away && (
        <p className="jk-Where-away" role="status">
          {trans.__('The Jupyter server does not answer. Shown is what was last known.')}
        </p>
      )}
      {error && <ErrorLine error={error} />}
      <Header run={run} />
      <ErrorBanner run={run} onShowLog={name => onPlace({ ...place, step: name, tab: 'log' })} />
      <Split
        label={trans.__('Resize graph')}
        left={<Picture run={run} place={place} step={step} chosen={chosen} onPlace={onPlace} />}
        right={
          step && isGroup(step) ? (
            <GroupDetail run={run} id={step} chosen={chosen} onSelect={select} />
          ) : step ? (
            <StepDetail
              run={run}
              name={step}
              tab={place.tab}
              onTab={tab => onPlace({ ...place, step, tab })}
              onSelect={select}
              onClose={() => select(null)}
            />
          ) : (
            <Overview run={run} />
          )
        }
      />
    </div>
  );
}

function Picture(props: {
  run: IRun;
  place: IRunPlace;
  step: string | null;
  chosen: Chosen;
  onPlace: (place: IRunPlace) => void;
}): JSX.Element {
  const { run, place, step, chosen, onPlace } = props;
  const { trans } = useKubeflow();
  const id = React.useId();
  const data = React.useMemo(() => runGraph(run, chosen), [run, chosen]);
  const folds: IFolds = useFolds(data);
  const placed = React.useRef(place);
  placed.current = place;
  const select = React.useCallback(
    (name: string) => onPlace({ ...placed.current, step: name }),
    [onPlace]
  );
  const openLog = React.useCallback(
    (name: string) => onPlace({ ...placed.current, step: name, tab: 'log' }),
    [onPlace]
  );
  return (
    <div className="jk-Picture">
      <Tabs
        id={id}
        label={trans.__('Picture of the run')}
        selected={place.picture}
        onSelect={picture => onPlace({ ...place, picture })}
        tabs={[
          { id: 'graph', label: trans.__('Graph') },
          { id: 'timeline', label: trans.__('Timeline') }
        ]}
      />
      <TabPanel id={id} tab={place.picture} className="jk-Picture-panel">
        {place.picture === 'graph' ? (
          <Graph
            data={data}
            label={trans.__('Steps of %1', run.metadata.name)}
            selected={step}
            onSelect={select}
            onOpen={openLog}
            folds={folds}
          />
        ) : (
          <Timeline run={run} selected={step} onSelect={select} />
        )}
      </TabPanel>
    </div>
  );
}
