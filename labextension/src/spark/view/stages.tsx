import * as React from 'react';

import { bytes, duration, number } from '../../format';
import { isActive } from '../../model/states';
import { useKubeflow, useNow, useTrans } from '../../ui/context';
import { CopyButton } from '../../ui/controls';
import { StateIcon, stateWord } from '../../ui/state';
import { isSession, sessionCell } from '../model/app';
import type { ISpan, IStrip } from '../model/stages';
import { activeTasks, shares, stageSeconds, stagesOf, stageState, strip } from '../model/stages';
import type { ISpark, IStage } from '../model/types';

/** The stages of the driver: when they ran, and how far the tasks of each are. */
export function Stages(props: { app: ISpark }): JSX.Element {
  const { app } = props;
  const trans = useTrans();
  const stages = stagesOf(app);
  const running = stages.some(stage => stageState(stage) === 'RUNNING');
  const now = useNow(running);
  const ended = app.status.stagesDone ?? 0;
  const shown = stages.filter(stage => stageState(stage) === 'SUCCEEDED').length;
  const picture = React.useMemo(() => strip(stages, now), [stages, now]);
  return (
    <section className="jk-Stages" aria-label={trans.__('Stages')}>
      <h2 className="jk-SmallTitle">
        {trans.__('Stages')}
        {ended > shown && (
          <span className="jk-Muted">
            {' '}
            {trans.__('the last %1 of %2', stages.length, stages.length - shown + ended)}
          </span>
        )}
      </h2>
      {stages.length ? (
        <>
          {picture && <Strip strip={picture} />}
          <ol className="jk-Stages-list" aria-label={trans.__('Stages of the driver')}>
            {stages.map(stage => (
              <StageRow
                key={`${stage.id}.${stage.attempt ?? 0}`}
                stage={stage}
                app={app}
                now={now}
              />
            ))}
          </ol>
          <Legend />
        </>
      ) : (
        <Nothing app={app} />
      )}
    </section>
  );
}

/** When each stage ran; what lay idle between is cut short. */
function Strip(props: { strip: IStrip }): JSX.Element {
  const { spans, gaps, lanes, seconds } = props.strip;
  const trans = useTrans();
  const style = { '--jk-lanes': lanes } as React.CSSProperties;
  return (
    <div
      className="jk-StageStrip"
      style={style}
      role="img"
      aria-label={trans.__(
        '%1 in %2 of work',
        trans._n('%1 stage', '%1 stages', spans.length),
        duration(seconds)
      )}
    >
      {gaps.map(gap => (
        <i
          key={gap.left}
          className="jk-StageStrip-gap"
          title={trans.__('nothing ran for %1', duration(gap.seconds))}
          style={place(gap.left, gap.width)}
        />
      ))}
      {spans.map(span => (
        <i
          key={`${span.stage.id}.${span.stage.attempt ?? 0}`}
          className={`jk-StageStrip-span jk-tone-${toneOf(span.stage)}`}
          title={spanWords(span)}
          style={{ ...place(span.left, span.width), '--jk-lane': span.lane } as React.CSSProperties}
        />
      ))}
    </div>
  );
}

function spanWords({ stage }: ISpan): string {
  return `${stage.id}: ${stage.name}`;
}

function place(left: number, width: number): React.CSSProperties {
  return { insetInlineStart: `${left * 100}%`, width: `${width * 100}%` };
}

function toneOf(stage: IStage): string {
  const tones: Record<string, string> = { RUNNING: 'run', SUCCEEDED: 'good', FAILED: 'bad' };
  return tones[stageState(stage)] ?? 'off';
}

function StageRow(props: { stage: IStage; app: ISpark; now: number }): JSX.Element {
  const { stage, app, now } = props;
  const trans = useTrans();
  const state = stageState(stage);
  const seconds = stageSeconds(stage, now);
  const running = activeTasks(stage, app);
  const facts = [
    seconds === null ? '' : duration(seconds),
    running ? trans.__('%1 at a time', running) : '',
    stage.inputBytes ? trans.__('%1 read', bytes(stage.inputBytes)) : '',
    stage.shuffleBytes ? trans.__('%1 shuffled', bytes(stage.shuffleBytes)) : ''
  ].filter(Boolean);
  return (
    <li
      className={`jk-SparkStage jk-tone-${toneOf(stage)}`}
      data-stage={stage.id}
      data-state={state}
    >
      <StateIcon state={state} size={14} label={stateWord(state, trans)} />
      <span className="jk-SparkStage-name" dir="auto" title={stage.name}>
        <b>{stage.id}</b> {stage.name}
      </span>
      <span className="jk-SparkStage-tasks">
        {trans.__('%1 of %2', number(stage.done), number(stage.tasks))}
        {stage.failed > 0 && (
          <b className="jk-tone-bad"> {trans.__('%1 failed', number(stage.failed))}</b>
        )}
      </span>
      <TaskBar stage={stage} app={app} />
      {facts.length > 0 && <span className="jk-SparkStage-facts">{facts.join(' · ')}</span>}
      {stage.reason && <span className="jk-SparkStage-reason">{stage.reason}</span>}
    </li>
  );
}

/** Tasks that are done, run and failed, as parts of one bar; what is left waits. */
export function TaskBar(props: { stage: IStage; app: ISpark }): JSX.Element {
  const { stage, app } = props;
  const trans = useTrans();
  const { done, active, failed } = shares(stage, app);
  const words = [
    trans.__('%1 of %2 tasks done', stage.done, stage.tasks),
    activeTasks(stage, app) && trans.__('%1 running', activeTasks(stage, app)),
    stage.failed && trans.__('%1 failed', stage.failed)
  ].filter(Boolean);
  return (
    <span
      className="jk-Tasks"
      role="progressbar"
      aria-label={trans.__('Tasks of stage %1', stage.id)}
      aria-valuemin={0}
      aria-valuemax={stage.tasks || 1}
      aria-valuenow={stage.done}
      aria-valuetext={words.join(', ')}
      title={words.join(', ')}
    >
      <i className="jk-Tasks-done" style={{ width: `${done * 100}%` }} />
      <i className="jk-Tasks-active" style={{ width: `${active * 100}%` }} />
      <i className="jk-Tasks-failed" style={{ width: `${failed * 100}%` }} />
    </span>
  );
}

function Legend(): JSX.Element {
  const trans = useTrans();
  return (
    <p className="jk-Stages-legend" aria-hidden="true">
      <span>
        <i className="jk-Tasks-done" /> {trans.__('done')}
      </span>
      <span>
        <i className="jk-Tasks-active" /> {trans.__('running')}
      </span>
      <span>
        <i className="jk-Tasks-failed" /> {trans.__('failed')}
      </span>
    </p>
  );
}

/** What to expect while there is no stage, and how the first comes. */
function Nothing(props: { app: ISpark }): JSX.Element {
  const { app } = props;
  const { trans } = useKubeflow();
  const active = isActive(app.status.phase);
  if (!isSession(app) || !active) {
    return (
      <p className="jk-Quiet">
        {active ? trans.__('No stage has begun yet.') : trans.__('It came to no stage.')}
      </p>
    );
  }
  const code = sessionCell(app.metadata.name);
  return (
    <div className="jk-Stages-none">
      <p>{trans.__('No stage has begun yet. Use the session in a cell:')}</p>
      <div className="jk-Code">
        <pre tabIndex={0}>{code}</pre>
        <CopyButton text={code} label={trans.__('Copy code')} />
      </div>
    </div>
  );
}
