import * as React from 'react';

import { number } from '../../format';
import { useTrans } from '../../ui/context';
import { Button } from '../../ui/controls';
import type { IAxis } from '../model/axes';
import type { Brush } from '../model/brush';
import { isBrushed, NO_BRUSH } from '../model/brush';
import type { IScene } from '../model/scene';
import { shown } from '../model/scene';
import { sortTrials, trialState } from '../model/trials';
import type { ITrial } from '../model/types';
import { TrialTip } from './marks';
import type { IParallelLine } from './parallel';
import { MOST_LINES, Parallel } from './parallel';
import { parameterText } from './words';

/** Rows of the table in place of the picture. */
const ROWS = 200;

/** All parameters and the objective side by side; ranges on the axes choose trials everywhere. */
export function Coordinates(props: {
  scene: IScene;
  onBrush: (brush: Brush) => void;
  selected: string | null;
  onPick: (name: string) => void;
}): JSX.Element {
  const { scene } = props;
  const trans = useTrans();
  const [asTable, setAsTable] = React.useState(false);
  const { trials, axes, ranks } = scene;
  const lines = React.useMemo(() => linesOf(trials, axes, ranks), [trials, axes, ranks]);
  const byName = React.useMemo(
    () => new Map(scene.trials.map(trial => [trial.name, trial])),
    [scene.trials]
  );
  const active = isBrushed(scene.brush);
  const metric = scene.objective.objectiveMetricName;
  return (
    <div className="jk-Coordinates">
      {asTable ? (
        <CoordinatesTable scene={scene} />
      ) : (
        <Parallel
          label={trans.__('Parameters and %1 of %2 trials', metric, lines.length)}
          axes={scene.axes}
          lines={lines}
          brush={scene.brush}
          onBrush={props.onBrush}
          passed={scene.passed}
          selected={props.selected}
          title={key => {
            const trial = byName.get(key);
            return trial ? <TrialTip trial={trial} objective={metric} /> : null;
          }}
          onPick={props.onPick}
        />
      )}
      <div className="jk-Coordinates-foot">
        <Ramp metric={metric} />
        <span role="status" className="jk-Muted">
          {active
            ? trans.__(
                '%1 of %2 trials chosen',
                number(scene.chosen.length),
                number(scene.trials.length)
              )
            : trans.__(
                'Drag along an axis, or move its ends with the arrow keys, to choose trials.'
              )}
        </span>
        {active && (
          <Button label={trans.__('Clear ranges')} onClick={() => props.onBrush(NO_BRUSH)} />
        )}
        <span className="jk-Spacer" />
        {lines.length > MOST_LINES && (
          <span className="jk-Muted">
            {trans.__('%1 of %2 lines are drawn', number(MOST_LINES), number(lines.length))}
          </span>
        )}
        <button type="button" className="jk-Link" onClick={() => setAsTable(!asTable)}>
          {asTable ? trans.__('Show as picture') : trans.__('Show as table')}
        </button>
      </div>
    </div>
  );
}

function Ramp(props: { metric: string }): JSX.Element {
  const trans = useTrans();
  return (
    <span className="jk-Ramp" aria-hidden="true">
      {trans.__('worse')}
      <i />
      {trans.__('better %1', props.metric)}
    </span>
  );
}

function linesOf(
  trials: readonly ITrial[],
  axes: readonly IAxis[],
  ranks: ReadonlyMap<string, number>
): IParallelLine[] {
  return trials
    .filter(shown)
    .map(trial => ({
      key: trial.name,
      at: axes.map(axis => axis.scale.at(axis.read(trial))),
      shade: ranks.get(trial.name) ?? 0,
      pruned: trialState(trial) === 'pruned'
    }))
    .sort((left, right) => left.shade - right.shade);
}

function CoordinatesTable(props: { scene: IScene }): JSX.Element {
  const { scene } = props;
  const trans = useTrans();
  const down = scene.objective.type === 'maximize';
  const rows = sortTrials(scene.chosen, { by: 'value', down }).slice(0, ROWS);
  return (
    <div
      className="jk-Figure-table jk-Coordinates-table"
      tabIndex={0}
      role="group"
      aria-label={trans.__('Parameters as a table')}
    >
      <table>
        <caption className="jk-visuallyHidden">{trans.__('Trials, the best first')}</caption>
        <thead>
          <tr>
            <th scope="col">{trans.__('Trial')}</th>
            {scene.axes.map(axis => (
              <th key={axis.id} scope="col">
                {axis.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(trial => (
            <tr key={trial.name}>
              <td>{trial.number}</td>
              {scene.axes.map(axis => {
                const value = axis.read(trial);
                return (
                  <td key={axis.id}>
                    {typeof value === 'number' ? number(value) : parameterText(value)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
