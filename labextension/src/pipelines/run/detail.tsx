import * as React from 'react';

import { duration } from '../../format';
import { knownState } from '../../model/states';
import type { IRun, IStep, IStepStatus } from '../../model/types';
import type { StepTab } from '../../tokens';
import { useTrans } from '../../ui/context';
import { Tabs } from '../../ui/controls';
import { StateIcon, stateWord } from '../../ui/state';
import { Log } from '../../ui/log';
import { StepCode } from './code';
import { StepSummary } from './summary';
import { StepValues } from './values';

export function findStep(
  run: IRun,
  name: string
): { status: IStepStatus; step: IStep | null } | null {
  const status = run.status.steps?.find(each => each.name === name);
  const steps = run.spec.pipeline?.graph?.steps ?? [];
  const step = steps.find(each => each.name === (status?.parent ?? name)) ?? null;
  if (!status && !step) {
    return null;
  }
  return { status: status ?? { name, state: 'PENDING' }, step };
}

/** Everything about one step, in four tabs. */
export function StepDetail(props: {
  run: IRun;
  name: string;
  tab: StepTab;
  onTab: (tab: StepTab) => void;
  onClose: () => void;
}): JSX.Element {
  const { run, name, tab } = props;
  const trans = useTrans();
  const id = React.useId();
  const found = findStep(run, name);
  if (!found) {
    return <p className="jk-Quiet">{trans.__('This run has no step “%1”.', name)}</p>;
  }
  const { status, step } = found;
  const state = knownState(status.state);
  const title = status.parent ? name : step?.title || status.title || name;
  return (
    <section className="jk-Detail" aria-label={trans.__('Step %1', name)}>
      <div className="jk-Detail-head">
        <StateIcon state={state} label={stateWord(state, trans)} size={18} />
        <h2 dir="auto" title={title}>
          {title}
        </h2>
        {title !== name && <code className="jk-Muted">{name}</code>}
        <span className="jk-Spacer" />
        {status.seconds !== null && status.seconds !== undefined && (
          <span className="jk-Muted">{duration(status.seconds)}</span>
        )}
        <button
          type="button"
          className="jk-Button jk-mod-icon"
          aria-label={trans.__('Close step')}
          title={trans.__('Back to the whole run')}
          onClick={props.onClose}
        >
          ✕
        </button>
      </div>
      <Tabs<StepTab>
        id={id}
        label={trans.__('Details of step %1', name)}
        selected={tab}
        onSelect={props.onTab}
        tabs={[
          { id: 'summary', label: trans.__('Summary') },
          { id: 'values', label: trans.__('Inputs and outputs') },
          { id: 'log', label: trans.__('Log') },
          { id: 'code', label: trans.__('Code') }
        ]}
      />
      <div
        className={`jk-Detail-panel jk-mod-${tab}`}
        role="tabpanel"
        id={`${id}-panel`}
        aria-labelledby={`${id}-${tab}`}
        tabIndex={-1}
      >
        {tab === 'summary' && <StepSummary run={run} status={status} step={step} />}
        {tab === 'values' && <StepValues run={run} status={status} step={step} />}
        {tab === 'log' && (
          <Log
            source={{
              path: `runs/${encodeURIComponent(run.metadata.name)}`,
              query: { step: name },
              attempt: status.attempt,
              file: `${run.metadata.name}-${name}`
            }}
          />
        )}
        {tab === 'code' && <StepCode run={run} step={status.parent ?? name} />}
      </div>
    </section>
  );
}
