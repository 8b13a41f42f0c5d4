import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { number } from '../../format';
import { useTrans } from '../../ui/context';
import { Button } from '../../ui/controls';
import type { IScene } from '../model/scene';
import { better, extraMetrics, isNumber, parameterNames } from '../model/trials';
import type { ITrial } from '../model/types';
import { Curves, ownColour } from './curves';
import { TrialBadge } from './badge';
import { parameterText } from './words';

/** Two to ten trials as columns: what differs first, the best value of each row marked; their curves beside. */
export function CompareTrials(props: {
  scene: IScene;
  names: readonly string[];
  selected: string | null;
  onPick: (name: string) => void;
  onLeave: (name: string) => void;
}): JSX.Element {
  const { scene, names } = props;
  const trans = useTrans();
  const trials = names
    .map(name => scene.trials.find(trial => trial.name === name))
    .filter(trial => trial !== undefined)
    .slice(0, 10);
  const known = trials.map(trial => trial.name).join('\n');
  const shown = React.useMemo(() => known.split('\n'), [known]);
  if (trials.length < 2) {
    return <p className="jk-Quiet">{trans.__('Select two to ten trials in the table below.')}</p>;
  }
  return (
    <div className="jk-CompareTrials">
      <div
        className="jk-CompareTrials-table"
        role="group"
        tabIndex={0}
        aria-label={trans.__('Comparison of %1 trials', trials.length)}
      >
        <Columns {...props} trials={trials} />
      </div>
      <div className="jk-CompareTrials-curves">
        <Curves
          scene={scene}
          selected={props.selected}
          onPick={props.onPick}
          only={shown}
          coloured
        />
      </div>
    </div>
  );
}

function Columns(props: {
  scene: IScene;
  trials: readonly ITrial[];
  onPick: (name: string) => void;
  onLeave: (name: string) => void;
}): JSX.Element {
  const { scene, trials } = props;
  const trans = useTrans();
  const { objective } = scene;
  const metric = objective.objectiveMetricName;
  const parameters = parameterNames(scene.experiment.spec.parameters ?? [], trials);
  const differs = (name: string) =>
    new Set(trials.map(trial => String(trial.parameters[name]))).size > 1;
  const ordered = [...parameters].sort((a, b) => Number(differs(b)) - Number(differs(a)));
  const values = trials.map(trial => trial.value).filter(isNumber);
  const top = values.reduce<number | null>(
    (best, value) => (best === null || better(objective, value, best) ? value : best),
    null
  );
  return (
    <table className="jk-Table">
      <thead>
        <tr>
          <td />
          {trials.map((trial, index) => (
            <th key={trial.name} scope="col">
              <i
                className="jk-CompareTrials-swatch"
                style={{ background: ownColour(index) }}
                aria-hidden="true"
              />
              <button type="button" className="jk-Link" onClick={() => props.onPick(trial.name)}>
                {trans.__('Trial %1', trial.number)}
              </button>
              <Button
                label={trans.__('Leave out trial %1', trial.number)}
                icon={closeIcon}
                iconOnly
                onClick={() => props.onLeave(trial.name)}
              />
              <TrialBadge trial={trial} />
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        <tr className="jk-mod-objective">
          <th scope="row">{metric}</th>
          {trials.map(trial => (
            <td key={trial.name} className={trial.value === top ? 'jk-mod-best' : undefined}>
              {number(trial.value)}
              {trial.value === top && isNumber(top) && (
                <span className="jk-visuallyHidden"> {trans.__('(best)')}</span>
              )}
            </td>
          ))}
        </tr>
        {ordered.map(name => (
          <tr key={name} className={differs(name) ? 'jk-mod-differs' : 'jk-mod-same'}>
            <th scope="row" dir="auto">
              {name}
            </th>
            {trials.map(trial => (
              <td key={trial.name} dir="auto">
                {parameterText(trial.parameters[name])}
              </td>
            ))}
          </tr>
        ))}
        {extraMetrics(trials, metric).map(name => (
          <tr key={`metric ${name}`}>
            <th scope="row" dir="auto">
              {name}
            </th>
            {trials.map(trial => (
              <td key={trial.name}>{number(trial.metrics?.[name])}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
