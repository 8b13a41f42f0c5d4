import * as React from 'react';

import { Figure } from '../../chart/figure';
import type { IManyLine, LineTone } from '../../chart/manylines';
import { ManyLines } from '../../chart/manylines';
import { extent, linear } from '../../chart/scales';
import { number } from '../../format';
import { useKubeflow } from '../../ui/context';
import { ErrorLine } from '../../ui/controls';
import { usePolled, useThrottled } from '../../ui/polled';
import { valueScale } from '../model/axes';
import type { IScene } from '../model/scene';
import { extraMetrics, isNumber, notable, stateCounts, trialState } from '../model/trials';
import type { ICurve } from '../model/types';
import { TrialTip } from './marks';

/** Curves drawn at most, and points of each: more cannot be told apart. */
const MOST = 400;
const POINTS = 80;

interface ICurvesProps {
  scene: IScene;
  selected: string | null;
  onPick: (name: string) => void;
  /** Only these trials; all without. */
  only?: readonly string[];
  /** Each of them in a colour of its own. */
  coloured?: boolean;
}

/** How each trial came along, the pruned ones marked where they ended. */
export function Curves(props: ICurvesProps): JSX.Element {
  const { scene } = props;
  const { trans } = useKubeflow();
  const objective = scene.objective.objectiveMetricName;
  const others = React.useMemo(
    () => extraMetrics(scene.trials, objective),
    [scene.trials, objective]
  );
  const [metric, setMetric] = React.useState(objective);
  const { curves, error, reload } = useCurves(props, metric);
  return (
    <div className="jk-Curves">
      {others.length > 0 && (
        <label className="jk-Curves-metric">
          <span>{trans.__('Metric')}</span>
          <select value={metric} onChange={event => setMetric(event.target.value)}>
            {[objective, ...others].map(name => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      )}
      {error && !curves ? (
        <ErrorLine error={error} onRetry={reload} />
      ) : curves && !curves.length ? (
        <p className="jk-Quiet">
          {trans.__(
            'No trial reported “%1” along the way. Call kf.report(%1=…, step=…) in the function to see curves and to stop bad trials early.',
            metric
          )}
        </p>
      ) : (
        <CurvesFigure {...props} curves={curves ?? []} metric={metric} />
      )}
    </div>
  );
}

/** Read anew while trials go on, a few seconds apart. */
function useCurves(props: ICurvesProps, metric: string) {
  const { scene, only } = props;
  const kubeflow = useKubeflow();
  const name = scene.experiment.metadata.name;
  const counts = stateCounts(scene.trials);
  const beat = useBeat(counts.running > 0, 2500);
  const version = useThrottled(`${scene.trials.length}/${counts.running}/${beat}`, 2000);
  const choice = only?.join() ?? (scene.passed ? `${scene.chosen.length} chosen` : '');
  const key = `${name}/${metric}/${choice}/${version}`;
  const { value, error, reload } = usePolled(key, 0, async signal => {
    const body = {
      trials: only ?? notable(scene.chosen, scene.objective, MOST),
      metric,
      limit: POINTS
    };
    const path = `experiments/${encodeURIComponent(name)}:curves`;
    return (await kubeflow.request<{ series: ICurve[] }>(path, { method: 'POST', body, signal }))
      .series;
  });
  const curves = React.useMemo(
    () =>
      value &&
      value
        .filter(curve => curve.points.length > 0)
        .filter(curve => only || !scene.passed || scene.passed.has(curve.trial)),
    [value, only, scene.passed]
  );
  return { curves, error, reload };
}

/** Counts up while somebody looks. */
function useBeat(active: boolean, milliseconds: number): number {
  const [count, setCount] = React.useState(0);
  React.useEffect(() => {
    if (!active) {
      return;
    }
    const timer = window.setInterval(
      () => document.hidden || setCount(value => value + 1),
      milliseconds
    );
    return () => window.clearInterval(timer);
  }, [active, milliseconds]);
  return count;
}

function CurvesFigure(
  props: ICurvesProps & { curves: readonly ICurve[]; metric: string }
): JSX.Element {
  const { scene, curves, metric, selected } = props;
  const { trans } = useKubeflow();
  const byName = React.useMemo(
    () => new Map(scene.trials.map(trial => [trial.name, trial])),
    [scene.trials]
  );
  const { lines, x, y } = React.useMemo(() => {
    const steps = curves.map(curve => stepsOf(curve));
    const values = curves.flatMap(curve => curve.points.map(point => point[2]));
    const across = linear(...(extent(steps.flat()) ?? [0, 1]));
    const up = valueScale(...(extent(values) ?? [0, 1]));
    const drawn = curves.map((curve, index): IManyLine => {
      const trial = byName.get(curve.trial);
      const tone: LineTone =
        curve.trial === selected
          ? 'selected'
          : curve.trial === scene.best?.name
            ? 'best'
            : trial
              ? lineTone(trialState(trial))
              : 'plain';
      const points = curve.points
        .map((point, at) => ({ x: across.at(steps[index][at]), y: up.at(point[2]) }))
        .filter(point => Number.isFinite(point.y));
      const own = props.coloured ? ownColour(props.only?.indexOf(curve.trial) ?? 0) : undefined;
      const shade = scene.ranks.get(curve.trial) ?? 0;
      return { key: curve.trial, tone, shade, colour: own, points };
    });
    return { lines: drawn, x: across, y: up };
  }, [curves, byName, selected, scene, props.coloured, props.only]);
  const pruned = lines.filter(line => line.tone === 'pruned').length;
  const all = props.only ? lines.length : scene.chosen.length;
  const label =
    lines.length < all
      ? trans.__(
          'Learning curves of %1 of %2 trials, %3 of them pruned',
          number(lines.length),
          number(all),
          number(pruned)
        )
      : trans.__('Learning curves of %1 trials, %2 of them pruned', lines.length, pruned);
  const rows = () =>
    curves.map(curve => {
      const last = curve.points[curve.points.length - 1];
      return [curve.number, curve.points.length, isNumber(last?.[2]) ? last[2] : null];
    });
  return (
    <Figure
      label={label}
      head={[trans.__('Trial'), trans.__('Reports'), trans.__('Last %1', metric)]}
      rows={rows}
      live
    >
      <ManyLines
        x={x}
        y={y}
        xName={trans.__('Step')}
        yName={metric}
        lines={lines}
        title={(key, at) => {
          const trial = byName.get(key);
          return (
            <>
              {trial && <TrialTip trial={trial} objective={metric} />}
              <br />
              {trans.__('here %1', number(Number(y.value(at.y))))}
            </>
          );
        }}
        onPick={props.onPick}
      />
      {!props.only && <CurveLegend label={label} />}
    </Figure>
  );
}

function CurveLegend(props: { label: string }): JSX.Element {
  const { trans } = useKubeflow();
  return (
    <ul className="jk-Legend" aria-hidden="true">
      <li>
        <i className="jk-mod-line" /> {trans.__('Best')}
      </li>
      <li>
        <i className="jk-mod-thin" /> {trans.__('Trial')}
      </li>
      <li>
        <i className="jk-mod-cross" /> {trans.__('Pruned')}
      </li>
      <li>{props.label}</li>
    </ul>
  );
}

/** The colours of the other charts, in their order. */
const OWN = [
  'var(--jp-brand-color1)',
  'color-mix(in srgb, var(--jp-warn-color1) 88%, var(--jp-ui-font-color0))',
  'color-mix(in srgb, var(--jp-success-color1) 88%, var(--jp-ui-font-color0))',
  'color-mix(in srgb, var(--jp-error-color1) 80%, var(--jp-layout-color0))',
  'color-mix(in srgb, var(--jp-brand-color1) 45%, var(--jp-error-color1))',
  'var(--jp-info-color1)',
  'color-mix(in srgb, var(--jp-warn-color1) 50%, var(--jp-success-color1))',
  'color-mix(in srgb, var(--jp-ui-font-color0) 55%, transparent)',
  'color-mix(in srgb, var(--jp-brand-color1) 55%, var(--jp-ui-font-color0))',
  'color-mix(in srgb, var(--jp-error-color1) 55%, var(--jp-ui-font-color0))'
];

export function ownColour(index: number): string {
  return OWN[Math.max(0, index) % OWN.length];
}

function lineTone(state: string): LineTone {
  return state === 'pruned' ? 'pruned' : state === 'running' ? 'running' : 'plain';
}

/** Steps as reported; where none were, their places in the row. */
function stepsOf(curve: ICurve): number[] {
  return curve.points.map(([step], index) => step ?? index);
}
