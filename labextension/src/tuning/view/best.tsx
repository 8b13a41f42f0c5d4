import * as React from 'react';

import { Bars } from '../../chart/bars';
import { Figure } from '../../chart/figure';
import { linear } from '../../chart/scales';
import { Scatter } from '../../chart/scatter';
import { number } from '../../format';
import { useKubeflow, useTrans } from '../../ui/context';
import { ErrorLine } from '../../ui/controls';
import { usePolled, useThrottled } from '../../ui/polled';
import type { IAxis } from '../model/axes';
import type { IScene } from '../model/scene';
import { valueAxis } from '../model/scene';
import { improvements, stateCounts } from '../model/trials';
import { Legend, trialMarks, TrialTip } from './marks';

/** How the search came along: every trial's value, the best so far, and which parameters matter. */
export function Progression(props: {
  scene: IScene;
  selected: string | null;
  onPick: (name: string) => void;
}): JSX.Element {
  const { scene } = props;
  const trans = useTrans();
  return (
    <div className="jk-Progression">
      <section className="jk-Progression-chart" aria-label={trans.__('Best so far')}>
        <BestSoFar {...props} />
      </section>
      <section className="jk-Progression-side" aria-label={trans.__('Parameter importance')}>
        <h2>{trans.__('Importance')}</h2>
        <Importance scene={scene} />
      </section>
    </div>
  );
}

function BestSoFar(props: {
  scene: IScene;
  selected: string | null;
  onPick: (name: string) => void;
}): JSX.Element {
  const { scene } = props;
  const trans = useTrans();
  const metric = scene.objective.objectiveMetricName;
  const y = valueAxis(scene);
  const { marks, stairs, corners, x } = React.useMemo(() => {
    const last = scene.trials[scene.trials.length - 1]?.number ?? 1;
    const first = scene.trials[0]?.number ?? 0;
    const scale = linear(Math.min(first, last - 1), Math.max(last, 2), true);
    const across: IAxis = { id: 'number', label: '', scale, read: trial => trial.number };
    const found = improvements(scene.trials, scene.objective);
    const places = found.map(each => ({ x: scale.at(each.number), y: y.scale.at(each.value) }));
    const end = places[places.length - 1];
    return {
      x: scale,
      marks: trialMarks(scene, across),
      corners: found,
      stairs: end ? [...places, { x: 1, y: end.y }] : []
    };
  }, [scene, y]);
  const label = corners.length
    ? trans.__(
        'Best %1 so far: %2, from trial %3 of %4',
        metric,
        number(corners[corners.length - 1].value),
        corners[corners.length - 1].number,
        scene.trials.length
      )
    : trans.__('No trial has a value yet');
  return (
    <Figure
      label={label}
      head={[trans.__('Trial'), trans.__('Best %1 so far', metric)]}
      rows={() => corners.map(each => [each.number, each.value])}
      live
    >
      <Scatter
        x={x}
        y={y.scale}
        xName={trans.__('Trial')}
        yName={metric}
        marks={marks}
        stairs={stairs}
        selected={props.selected}
        title={mark => <TrialTip trial={mark.trial} objective={metric} />}
        onPick={mark => props.onPick(mark.key)}
      />
      <Legend line />
    </Figure>
  );
}

/** Fewer finished trials than this say nothing about what matters. */
const FEW = 4;

export function Importance(props: { scene: IScene }): JSX.Element {
  const { scene } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const name = scene.experiment.metadata.name;
  const counts = stateCounts(scene.trials);
  const done = useThrottled(counts.succeeded + counts.pruned, 3000);
  const enough = counts.succeeded >= FEW;
  const { value, error, reload } = usePolled<Record<string, number>>(
    `${name}/${enough ? done : 0}`,
    0,
    async signal =>
      enough
        ? kubeflow.request<Record<string, number>>(
            `experiments/${encodeURIComponent(name)}:importance`,
            {
              method: 'POST',
              body: {},
              signal
            }
          )
        : {}
  );
  if (error && !value) {
    return <ErrorLine error={error} onRetry={reload} />;
  }
  const bars = Object.entries(value ?? {})
    .map(([parameter, share]) => ({ name: parameter, share }))
    .sort((left, right) => right.share - left.share);
  if (!bars.length) {
    return (
      <p className="jk-Quiet">
        {enough ? trans.__('Loading…') : trans.__('Shown once %1 trials have succeeded.', FEW)}
      </p>
    );
  }
  return (
    <>
      <Bars
        label={trans.__('Parameter importance')}
        head={[trans.__('Parameter'), trans.__('Importance')]}
        bars={bars}
      />
      <p className="jk-Muted jk-Small">
        {trans.__(
          'Share of the variation of %1 that each explains.',
          scene.objective.objectiveMetricName
        )}
      </p>
    </>
  );
}
