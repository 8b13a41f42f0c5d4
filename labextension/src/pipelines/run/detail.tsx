import * as React from 'react';

import { duration } from '../../format';
import { splitId } from '../../graph/outline';
import { iterationOf } from '../../graph/tree';
import { Strip } from '../../graph/strip';
import { isCompiled } from '../../model/actions';
import { knownState } from '../../model/states';
import type { IRun, IStep, IStepStatus } from '../../model/types';
import type { StepTab } from '../../tokens';
import { useTrans } from '../../ui/context';
import { TabPanel, Tabs } from '../../ui/controls';
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
  onSelect: (id: string) => void;
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
      <IterationPicker run={run} status={status} onSelect={props.onSelect} />
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
      <TabPanel id={id} tab={tab} className={`jk-Detail-panel jk-mod-${tab}`} focus={-1}>
        {tab === 'summary' && <StepSummary run={run} status={status} step={step} />}
        {tab === 'values' && <StepValues run={run} status={status} step={step} />}
        {tab === 'log' && isWhole(run, status) && (
          <p className="jk-Quiet jk-Detail-choose">
            {trans.__('Each iteration has a log of its own. Choose one above.')}
          </p>
        )}
        {tab === 'log' && !isWhole(run, status) && (
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
      </TabPanel>
    </section>
  );
}

function iterationsOf(run: IRun, step: string): IStepStatus[] {
  return (run.status.steps ?? []).filter(each => each.parent === step);
}

/** A step that stands in a loop, and not one iteration of it. */
function isWhole(run: IRun, status: IStepStatus): boolean {
  return isCompiled(run) && !status.parent && iterationsOf(run, status.name).length > 0;
}

/** From one iteration of a step to the next, with whatever is looked at of them. */
function IterationPicker(props: {
  run: IRun;
  status: IStepStatus;
  onSelect: (id: string) => void;
}): JSX.Element | null {
  const { run, status } = props;
  const trans = useTrans();
  const step = status.parent ?? status.name;
  const iterations = React.useMemo(
    () =>
      iterationsOf(run, step).map((each, at) =>
        iterationOf(each, splitId(each.name).index ?? [at])
      ),
    [run, step]
  );
  if (!iterations.length) {
    return null;
  }
  return (
    <div className="jk-Detail-iterations">
      <Strip
        label={trans.__('Iterations of step %1', step)}
        iterations={iterations}
        selected={status.name}
        width={320}
        onSelect={id => props.onSelect(id ?? step)}
      />
      {status.item && (
        <code className="jk-Ellipsis jk-Muted" dir="auto" title={status.item}>
          {status.item}
        </code>
      )}
    </div>
  );
}
