import { runIcon, stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { number } from '../../format';
import { isActive, knownState } from '../../model/states';
import { useKubeflow, useTrans } from '../../ui/context';
import { Button, CopyButton, InlineConfirm, Progress } from '../../ui/controls';
import { Chips, ViewHeader } from '../../ui/header';
import type { IEntry } from '../../ui/menu';
import { openMenu } from '../../ui/menu';
import { StateBadge } from '../../ui/state';
import { Elapsed, RelativeTime } from '../../ui/time';
import { codeOf, EXPERIMENT, TuningCommands } from '../commands';
import { algorithmTitle } from '../model/algorithms';
import { bestCode, experimentCode, experimentTitle, whyNot } from '../model/code';
import type { IScene } from '../model/scene';
import { stateCounts } from '../model/trials';
import type { IExperiment } from '../model/types';
import { objectiveText, parameterText, whyNotText } from './words';

/** How the search stands, its best so far, and what can be done with it. */
export function Header(props: {
  scene: IScene;
  total: number;
  onPick: (name: string) => void;
}): JSX.Element {
  const { scene } = props;
  const { experiment } = scene;
  const trans = useTrans();
  const phase = knownState(experiment.status.phase);
  const title = experimentTitle(experiment);
  const name = experiment.metadata.name;
  return (
    <ViewHeader
      className="jk-TuningHeader"
      mark={<StateBadge state={phase} reason={experiment.status.reason} />}
      title={title}
      id={
        <span className="jk-Header-id">
          {title !== name && <code>{name}</code>}
          <CopyButton text={name} label={trans.__('Copy experiment name')} />
        </span>
      }
      actions={<Actions experiment={experiment} />}
      reason={experiment.status.reason}
    >
      <Facts {...props} />
      <Best {...props} />
      {isActive(phase) && (
        <Progress
          value={phase === 'RUNNING' ? (experiment.status.progress ?? null) : 0}
          label={trans.__('Progress of %1', title)}
        />
      )}
    </ViewHeader>
  );
}

function Facts(props: { scene: IScene; total: number }): JSX.Element {
  const { scene } = props;
  const { experiment, objective } = scene;
  const trans = useTrans();
  const { spec, status } = experiment;
  const counts = stateCounts(scene.trials);
  const done = counts.succeeded + counts.pruned + counts.failed;
  const parallel = status.parallel || spec.parallelTrialCount;
  return (
    <ul className="jk-FactLine" aria-label={trans.__('Facts of this experiment')}>
      <li>
        {spec.maxTrialCount
          ? trans.__('%1 of %2 trials', number(done), number(spec.maxTrialCount))
          : trans._n('%1 trial', '%1 trials', done, done)}
      </li>
      {counts.running > 0 && <li>{trans.__('%1 running', number(counts.running))}</li>}
      {counts.pruned > 0 && <li>{trans.__('%1 pruned', number(counts.pruned))}</li>}
      {counts.failed > 0 && (
        <li className="jk-mod-bad">{trans.__('%1 failed', number(counts.failed))}</li>
      )}
      <li dir="auto">{objectiveText(objective, trans)}</li>
      <li title={spec.algorithm?.algorithmName}>
        {algorithmTitle(spec.algorithm?.algorithmName ?? '', trans)}
        {spec.earlyStopping?.algorithmName
          ? `, ${trans.__('early stopping %1', spec.earlyStopping.algorithmName)}`
          : ''}
      </li>
      {parallel ? <li>{trans.__('%1 at a time', parallel)}</li> : null}
      <li>
        <RelativeTime time={status.startTime ?? experiment.metadata.creationTimestamp} />
      </li>
      <li>
        <Elapsed start={status.startTime} end={status.completionTime} seconds={status.seconds} />
      </li>
    </ul>
  );
}

/** The best value and its parameters, and the ways to take them along. */
function Best(props: { scene: IScene; onPick: (name: string) => void }): JSX.Element {
  const { scene } = props;
  const { best, objective, experiment } = scene;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  if (!best) {
    return (
      <p className="jk-Best jk-mod-none jk-Muted">
        {trans.__(
          'No best trial yet: none has ended with a value of “%1”.',
          objective.objectiveMetricName
        )}
      </p>
    );
  }
  const given = {
    name: experiment.metadata.name,
    trial: best.number,
    parameters: { ...best.parameters }
  };
  return (
    <section className="jk-Best" aria-label={trans.__('Best trial')}>
      <button
        type="button"
        className="jk-Best-value"
        title={trans.__('Show trial %1', best.number)}
        onClick={() => props.onPick(best.name)}
      >
        <span className="jk-Best-star" aria-hidden="true">
          ★
        </span>
        <span dir="auto">{objective.objectiveMetricName}</span>
        <b>{number(best.value)}</b>
        <span className="jk-Muted">{trans.__('trial %1', best.number)}</span>
      </button>
      <Chips
        groups={[
          {
            label: trans.__('Best parameters'),
            chips: Object.entries(best.parameters).map(([name, value]) => ({
              name,
              text: parameterText(value),
              title: `${name} = ${String(value)}`
            }))
          }
        ]}
      />
      <span className="jk-Best-actions">
        <Button
          label={trans.__('Put best into a cell')}
          disabled={kubeflow.whyNot(TuningCommands.bestToCell, given)}
          onClick={() => kubeflow.execute(TuningCommands.bestToCell, given)}
        />
        <Button
          label={trans.__('Set as pipeline parameters')}
          disabled={kubeflow.whyNot(TuningCommands.bestToPipeline, given)}
          onClick={() => kubeflow.execute(TuningCommands.bestToPipeline, given)}
        />
      </span>
    </section>
  );
}

function Actions(props: { experiment: IExperiment }): JSX.Element {
  const { experiment } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { name } = experiment.metadata;
  const [asking, setAsking] = React.useState<'resume' | 'delete' | null>(null);
  const can = (action: Parameters<typeof whyNot>[0]) => {
    const why = whyNot(action, experiment);
    return why && whyNotText(why, trans);
  };
  const call = (command: string, args: Record<string, string | number | boolean> = {}) =>
    kubeflow.execute(command, { name, kind: EXPERIMENT, ...args });
  return (
    <div
      className="jk-Header-actions"
      role="toolbar"
      aria-label={trans.__('Actions on this experiment')}
    >
      {asking === 'delete' && (
        <InlineConfirm
          question={trans.__('Delete it with all its trials?')}
          verb={trans.__('Delete')}
          onCancel={() => setAsking(null)}
          onConfirm={() => call(TuningCommands.remove, { confirmed: true })}
        />
      )}
      {asking === 'resume' && (
        <MoreTrials
          experiment={experiment}
          onCancel={() => setAsking(null)}
          onResume={async trials => {
            await call(TuningCommands.resume, { trials });
            setAsking(null);
          }}
        />
      )}
      {!asking && (
        <>
          {isActive(experiment.status.phase) ? (
            <Button
              label={trans.__('Stop')}
              icon={stopIcon}
              disabled={can('stop')}
              onClick={() => call(TuningCommands.stop)}
            />
          ) : (
            <Button
              label={trans.__('Resume…')}
              icon={runIcon}
              kind={experiment.status.phase === 'SUCCEEDED' ? 'plain' : 'primary'}
              disabled={can('resume')}
              onClick={() => setAsking('resume')}
            />
          )}
          <CodeMenu name={name} />
          <Button
            label={trans.__('Export')}
            title={trans.__('Save as YAML, as a cluster takes it')}
            onClick={() => call(TuningCommands.exportYaml)}
          />
          <Button
            label={trans.__('Delete')}
            disabled={can('delete')}
            onClick={() => setAsking('delete')}
          />
        </>
      )}
    </div>
  );
}

/** How many more: what is missing to the planned number, else ten. */
function MoreTrials(props: {
  experiment: IExperiment;
  onCancel: () => void;
  onResume: (trials: number) => Promise<unknown>;
}): JSX.Element {
  const { status, spec } = props.experiment;
  const trans = useTrans();
  const missing = Math.max(0, (spec.maxTrialCount ?? 0) - (status.trials ?? 0));
  const [text, setText] = React.useState(String(missing || 10));
  const count = /^\d+$/.test(text.trim()) ? Number(text) : NaN;
  const wrong = count >= 1 ? null : trans.__('A whole number from 1 on.');
  const submit = () => (wrong ? undefined : props.onResume(count));
  return (
    <form
      className="jk-MoreTrials"
      aria-label={trans.__('Resume with more trials')}
      onSubmit={event => {
        event.preventDefault();
        void submit();
      }}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          props.onCancel();
        }
      }}
    >
      <label>
        <span>{trans.__('More trials')}</span>
        <input
          inputMode="numeric"
          value={text}
          autoFocus
          aria-invalid={wrong ? true : undefined}
          title={wrong ?? undefined}
          onChange={event => setText(event.target.value)}
          onFocus={event => event.target.select()}
        />
      </label>
      <Button label={trans.__('Resume')} kind="primary" disabled={wrong} onClick={submit} />
      <Button label={trans.__('Cancel')} onClick={props.onCancel} />
    </form>
  );
}

/** The code that gets it, and the ways to make it again. */
function CodeMenu(props: { name: string }): JSX.Element {
  const { name } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const copy = (kind: 'python' | 'magic' | 'cli' | 'yaml') => async () => {
    try {
      const code = await codeOf(kubeflow, name);
      await kubeflow.copyCode(code[kind] ?? '');
    } catch (error) {
      kubeflow.fail(trans.__('Copying the code of %1', name), error);
    }
  };
  const entries: (IEntry | '-')[] = [
    {
      label: trans.__('Python that gets this experiment'),
      call: () => kubeflow.copyCode(experimentCode(name))
    },
    {
      label: trans.__('Python that gets its best parameters'),
      call: () => kubeflow.copyCode(bestCode(name))
    },
    '-',
    { label: trans.__('Python that makes it again'), call: copy('python') },
    { label: trans.__('Cell magic'), call: copy('magic') },
    { label: trans.__('Command line'), call: copy('cli') },
    { label: trans.__('YAML'), call: copy('yaml') }
  ];
  return (
    <button
      type="button"
      className="jk-Button jk-mod-plain"
      aria-haspopup="menu"
      onClick={event => openMenu(event, entries)}
    >
      <span>{trans.__('Copy as code')}</span>
    </button>
  );
}
