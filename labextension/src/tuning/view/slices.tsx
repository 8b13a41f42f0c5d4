import * as React from 'react';

import { Figure } from '../../chart/figure';
import { Scatter } from '../../chart/scatter';
import { useTrans } from '../../ui/context';
import type { IAxis } from '../model/axes';
import type { IScene } from '../model/scene';
import { parameterAxes, shown, valueAxis } from '../model/scene';
import { sortTrials } from '../model/trials';
import { Legend, trialMarks, TrialTip } from './marks';
import { parameterText } from './words';

/** Rows of the table behind a picture; the table of trials has them all. */
const ROWS = 100;

interface ISliceProps {
  scene: IScene;
  selected: string | null;
  onPick: (name: string) => void;
}

/** The objective against each parameter, side by side. */
export function Slices(props: ISliceProps): JSX.Element {
  const trans = useTrans();
  const axes = parameterAxes(props.scene);
  if (!axes.length) {
    return <p className="jk-Quiet">{trans.__('This experiment has no parameters.')}</p>;
  }
  return (
    <div className="jk-Slices-frame">
      <div className="jk-Slices">
        {axes.map(axis => (
          <Slice key={axis.id} axis={axis} {...props} />
        ))}
      </div>
      <Legend />
    </div>
  );
}

function Slice(props: ISliceProps & { axis: IAxis }): JSX.Element {
  const { scene, axis } = props;
  const trans = useTrans();
  const metric = scene.objective.objectiveMetricName;
  const marks = React.useMemo(() => trialMarks(scene, axis), [scene, axis]);
  const rows = () => {
    const down = scene.objective.type === 'maximize';
    return sortTrials(scene.chosen.filter(shown), { by: 'value', down })
      .slice(0, ROWS)
      .map(trial => [trial.number, parameterText(trial.parameters[axis.id]), trial.value ?? null]);
  };
  return (
    <Figure
      label={trans.__('%1 against %2', metric, axis.label)}
      head={[trans.__('Trial'), axis.label, metric]}
      rows={rows}
      live
    >
      <Scatter
        x={axis.scale}
        y={valueAxis(scene).scale}
        xName={axis.label}
        yName={metric}
        height={200}
        marks={marks}
        selected={props.selected}
        title={mark => <TrialTip trial={mark.trial} objective={metric} />}
        onPick={mark => props.onPick(mark.key)}
      />
    </Figure>
  );
}
