import * as React from 'react';

import type { IScatterMark, MarkTone } from '../../chart/scatter';
import { number } from '../../format';
import { useTrans } from '../../ui/context';
import type { IAxis } from '../model/axes';
import type { IScene } from '../model/scene';
import { shown, valueAxis } from '../model/scene';
import { trialState } from '../model/trials';
import type { ITrial } from '../model/types';
import { parameterText, trialWord } from './words';

export interface ITrialMark extends IScatterMark {
  readonly trial: ITrial;
}

export function toneOf(trial: ITrial, best: ITrial | null): MarkTone {
  if (trial === best) {
    return 'best';
  }
  const state = trialState(trial);
  return state === 'pruned'
    ? 'pruned'
    : state === 'running'
      ? 'running'
      : state === 'failed'
        ? 'failed'
        : 'plain';
}

/** Trials over one axis against the objective. Equal categories are spread, so that all are seen. */
export function trialMarks(scene: IScene, across: IAxis): ITrialMark[] {
  const value = valueAxis(scene);
  const spread = spreadOf(scene, across);
  const marks: ITrialMark[] = [];
  for (const trial of scene.trials) {
    const at = across.scale.at(across.read(trial));
    const y = value.scale.at(trial.value);
    if (shown(trial) && Number.isFinite(at) && Number.isFinite(y)) {
      marks.push({
        key: trial.name,
        trial,
        x: at + spread * (((trial.number * 0.618034) % 1) - 0.5),
        y,
        tone: toneOf(trial, scene.best),
        faint: scene.passed !== null && !scene.passed.has(trial.name)
      });
    }
  }
  return marks;
}

/** How far marks of one value may lie apart, as a share of the axis. */
function spreadOf(scene: IScene, across: IAxis): number {
  if (across.scale.kind === 'category') {
    return Math.min(0.3, across.scale.step * 0.3);
  }
  const known = scene.experiment.spec.parameters?.find(each => each.name === across.id);
  if (known?.parameterType !== 'int') {
    return 0;
  }
  const one = Math.abs(across.scale.at(2) - across.scale.at(1));
  return Number.isFinite(one) && one > 0.02 ? Math.min(0.12, one * 0.4) : 0;
}

/** A trial in a few words, beside the pointer. */
export function TrialTip(props: { trial: ITrial; objective: string }): JSX.Element {
  const { trial, objective } = props;
  const trans = useTrans();
  const state = trialState(trial);
  return (
    <>
      <b>{trans.__('Trial %1', trial.number)}</b>
      {state !== 'succeeded' && ` · ${trialWord(state, trans)}`}
      <br />
      {objective} {number(trial.value)}
      {Object.entries(trial.parameters)
        .slice(0, 8)
        .map(([name, value]) => (
          <React.Fragment key={name}>
            <br />
            <span className="jk-Muted">{name}</span> {parameterText(value)}
          </React.Fragment>
        ))}
    </>
  );
}

/** What the marks mean. */
export function Legend(props: { line?: boolean; running?: boolean }): JSX.Element {
  const trans = useTrans();
  return (
    <ul className="jk-Legend" aria-hidden="true">
      {props.line && (
        <li>
          <i className="jk-mod-line" /> {trans.__('Best so far')}
        </li>
      )}
      <li>
        <i className="jk-mod-dot" /> {trans.__('Trial')}
      </li>
      <li>
        <i className="jk-mod-best" /> {trans.__('Best')}
      </li>
      <li>
        <i className="jk-mod-cross" /> {trans.__('Pruned')}
      </li>
    </ul>
  );
}
