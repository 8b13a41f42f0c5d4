import * as React from 'react';

import { percent } from '../../format';
import { useKubeflow } from '../../ui/context';
import type { ICurveOptions } from '../model/charts';

/** How curves are drawn. */
export function CurveBar(props: {
  options: ICurveOptions;
  onOptions: (change: Partial<ICurveOptions>) => void;
  /** Whether there are several to choose. */
  ranks?: boolean;
}): JSX.Element {
  const { options, onOptions } = props;
  const { trans } = useKubeflow();
  const id = React.useId();
  return (
    <div className="jk-Curves-bar" role="toolbar" aria-label={trans.__('How curves are drawn')}>
      <select
        aria-label={trans.__('Over')}
        className="jk-Select"
        value={options.x}
        onChange={event => onOptions({ x: event.target.value as ICurveOptions['x'] })}
      >
        <option value="step">{trans.__('By step')}</option>
        <option value="time">{trans.__('By time')}</option>
      </select>
      <label htmlFor={`${id}-smooth`}>{trans.__('Smoothing')}</label>
      <input
        id={`${id}-smooth`}
        type="range"
        min={0}
        max={0.99}
        step={0.01}
        value={options.smoothing}
        aria-valuetext={percent(options.smoothing)}
        onChange={event => onOptions({ smoothing: Number(event.target.value) })}
      />
      <output htmlFor={`${id}-smooth`}>{options.smoothing.toFixed(2)}</output>
      <label>
        <input
          type="checkbox"
          checked={options.log}
          onChange={event => onOptions({ log: event.target.checked })}
        />
        {trans.__('Log scale')}
      </label>
      {props.ranks && (
        <label>
          <input
            type="checkbox"
            checked={options.ranks}
            onChange={event => onOptions({ ranks: event.target.checked })}
          />
          {trans.__('Ranks')}
        </label>
      )}
    </div>
  );
}
