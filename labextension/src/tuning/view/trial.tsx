import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { duration, exact } from '../../format';
import type { IWork } from '../../model/types';
import { useFetched, useKubeflow } from '../../ui/context';
import { Button, CopyButton, TabPanel, Tabs } from '../../ui/controls';
import { Numbers } from '../../ui/facts';
import { Log } from '../../ui/log';
import { useFound } from '../../ui/resources';
import { RelativeTime } from '../../ui/time';
import { TuningCommands } from '../commands';
import { literal } from '../model/python';
import { parametersDict } from '../model/notebook';
import type { IScene } from '../model/scene';
import { trialState } from '../model/trials';
import type { ITrial } from '../model/types';
import { Curves } from './curves';
import { TrialBadge } from './badge';

export type TrialTab = 'summary' | 'curve' | 'log';

interface ITrialProps {
  scene: IScene;
  trial: ITrial;
  tab: TrialTab;
  onTab: (tab: TrialTab) => void;
  onClose: () => void;
}

/** Everything about one trial, in three tabs. */
export function TrialDetail(props: ITrialProps): JSX.Element {
  const { scene, trial, tab } = props;
  const { trans } = useKubeflow();
  const id = React.useId();
  const title = trans.__('Trial %1', trial.number);
  const only = React.useMemo(() => [trial.name], [trial.name]);
  return (
    <section className="jk-Trial" aria-label={title}>
      <div className="jk-Detail-head">
        <h2>{title}</h2>
        {scene.best?.name === trial.name && (
          <span className="jk-BestMark">★ {trans.__('Best')}</span>
        )}
        <TrialBadge trial={trial} />
        <span className="jk-Spacer" />
        <Button label={trans.__('Close trial')} icon={closeIcon} iconOnly onClick={props.onClose} />
      </div>
      <Tabs<TrialTab>
        id={id}
        label={trans.__('Details of trial %1', trial.number)}
        selected={tab}
        onSelect={props.onTab}
        tabs={[
          { id: 'summary', label: trans.__('Summary') },
          { id: 'curve', label: trans.__('Curve') },
          { id: 'log', label: trans.__('Log') }
        ]}
      />
      <TabPanel
        id={id}
        tab={tab}
        className={`jk-Trial-panel jk-mod-${tab}`}
        focus={tab === 'summary' ? 0 : -1}
      >
        {tab === 'summary' && <Summary {...props} />}
        {tab === 'curve' && <Curves scene={scene} selected={null} onPick={() => {}} only={only} />}
        {tab === 'log' && (
          <Log source={{ path: `trials/${encodeURIComponent(trial.name)}`, file: trial.name }} />
        )}
      </TabPanel>
    </section>
  );
}

function Summary(props: ITrialProps): JSX.Element {
  const { scene, trial } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const objective = scene.objective.objectiveMetricName;
  const experiment = scene.experiment.metadata.name;
  const metrics = Object.entries(trial.metrics ?? {}).filter(([name]) => name !== objective);
  const given = {
    name: experiment,
    trial: trial.number,
    parameters: { ...trial.parameters }
  };
  return (
    <>
      {trial.reason && <p dir="auto">{trial.reason}</p>}
      <section aria-label={trans.__('Parameters')}>
        <div className="jk-Trial-title">
          <h3>{trans.__('Parameters')}</h3>
          <CopyButton
            text={() => parametersDict(trial.parameters)}
            label={trans.__('Copy parameters')}
          />
        </div>
        <dl className="jk-Facts jk-mod-code">
          {Object.entries(trial.parameters).map(([name, value]) => (
            <React.Fragment key={name}>
              <dt dir="auto">{name}</dt>
              <dd dir="auto">{literal(value)}</dd>
            </React.Fragment>
          ))}
        </dl>
        <div className="jk-Trial-actions">
          <Button
            label={trans.__('Put into a cell')}
            disabled={kubeflow.whyNot(TuningCommands.bestToCell, given)}
            onClick={() => kubeflow.execute(TuningCommands.bestToCell, given)}
          />
          <Button
            label={trans.__('Set as pipeline parameters')}
            disabled={kubeflow.whyNot(TuningCommands.bestToPipeline, given)}
            onClick={() => kubeflow.execute(TuningCommands.bestToPipeline, given)}
          />
        </div>
      </section>
      <section aria-label={trans.__('Metrics')}>
        <h3>{trans.__('Metrics')}</h3>
        <Numbers rows={[[objective, trial.value], ...metrics]} />
      </section>
      <section aria-label={trans.__('Times')}>
        <h3>{trans.__('Times')}</h3>
        <dl className="jk-Facts">
          <dt>{trans.__('Started')}</dt>
          <dd title={exact(trial.startTime)}>
            {trial.startTime ? <RelativeTime time={trial.startTime} /> : '–'}
          </dd>
          <dt>{trans.__('Ran')}</dt>
          <dd>{duration(trial.seconds)}</dd>
          <dt>{trans.__('Name')}</dt>
          <dd className="jk-Trial-name">
            <code>{trial.name}</code>
            <CopyButton text={trial.name} label={trans.__('Copy trial name')} />
          </dd>
          <Place trial={trial} />
        </dl>
      </section>
    </>
  );
}

interface ITrialStatus {
  job?: { kind: string; name: string } | null;
  error?: { message?: string; traceback?: string[] } | null;
}

const CARRIERS = ['TrainJob', 'PyTorchJob', 'TFJob', 'XGBoostJob', 'Run'];
const OWNER = 'jupyter-kubeflow.org/owner';

/** The job or run that carries the trial: its own word for it, or found by its owner. */
function useCarrier(trial: ITrial, resource: IWork | null) {
  const owner = `Trial/${trial.name}`;
  const uid = resource?.metadata.uid;
  const found = useFound(CARRIERS, lists => {
    for (const list of lists) {
      const item = list.items.find(
        ({ metadata }) =>
          metadata.annotations?.[OWNER] === owner ||
          (uid && metadata.ownerReferences?.some(reference => reference.uid === uid))
      );
      if (item) {
        return { kind: item.kind, name: item.metadata.name };
      }
    }
    return null;
  });
  return (resource?.status as ITrialStatus | undefined)?.job ?? found;
}

/** The job or run that carried the trial, and what went wrong in it. */
function Place(props: { trial: ITrial }): JSX.Element | null {
  const { trial } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { value } = useFetched(`${trial.name}/${trialState(trial)}`, signal =>
    kubeflow.request<IWork>(`trials/${encodeURIComponent(trial.name)}`, { signal })
  );
  const carrier = useCarrier(trial, value);
  const traceback = (value?.status as ITrialStatus | undefined)?.error?.traceback?.join('');
  return (
    <>
      {carrier && (
        <>
          <dt>{carrier.kind === 'Run' ? trans.__('Run') : trans.__('Job')}</dt>
          <dd>
            <button
              type="button"
              className="jk-Link"
              onClick={() => void kubeflow.open(carrier.kind, carrier.name)}
            >
              {carrier.name}
            </button>
          </dd>
        </>
      )}
      {traceback && (
        <>
          <dt>{trans.__('Error')}</dt>
          <dd>
            <details className="jk-Traceback">
              <summary>{trans.__('Traceback')}</summary>
              <pre tabIndex={0}>{traceback}</pre>
            </details>
          </dd>
        </>
      )}
    </>
  );
}
