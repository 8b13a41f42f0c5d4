import * as React from 'react';

import { useKubeflow, useSignal } from '../ui/context';
import { CopyButton } from '../ui/controls';
import { StateIcon } from '../ui/state';
import { Card } from './card';
import type { IComponent } from './page';

/** Shapes differ, not only colours. */
const SHAPES: Record<IComponent['state'], string> = {
  available: 'SUCCEEDED',
  degraded: 'PAUSED',
  missing: 'SKIPPED'
};
const ORDER: readonly IComponent['state'][] = ['missing', 'degraded', 'available'];

/** Which capabilities there are; what is less than whole comes first, with what to do. */
export function Components(props: { components: readonly IComponent[] }): JSX.Element {
  const { trans } = useKubeflow();
  const { components } = props;
  const whole = components.every(({ state }) => state === 'available');
  const sorted = [...components].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
  return (
    <Card title={trans.__('Components')} note={whole ? trans.__('All are available.') : undefined}>
      <ul className="jk-Plain jk-Home-components" aria-label={trans.__('Components')}>
        {sorted.map(component => (
          <Component key={component.name} component={component} />
        ))}
      </ul>
    </Card>
  );
}

function Component(props: { component: IComponent }): JSX.Element {
  const { name, state, reason, remedy } = props.component;
  const { trans, sections } = useKubeflow();
  useSignal(sections.changed);
  const titles: Record<string, string> = {
    schedules: trans.__('Schedules'),
    spark: trans.__('Data (Spark)'),
    registry: trans.__('Models'),
    serving: trans.__('Endpoints'),
    servers: trans.__('Servers')
  };
  const words: Record<IComponent['state'], string> = {
    available: trans.__('Available'),
    degraded: trans.__('Limited'),
    missing: trans.__('Missing')
  };
  const title = sections.get(name)?.title ?? titles[name] ?? name;
  return (
    <li className={`jk-Home-component jk-mod-${state}`} title={reason}>
      <StateIcon state={SHAPES[state]} label={words[state]} size={14} />
      <span className="jk-Home-componentName">{title}</span>
      {state !== 'available' && (
        <>
          <span className="jk-Home-componentState">{words[state]}</span>
          <p>{reason}</p>
          {remedy && (
            <div className="jk-Code">
              <pre tabIndex={0}>{remedy}</pre>
              <CopyButton text={remedy} label={trans.__('Copy')} />
            </div>
          )}
        </>
      )}
    </li>
  );
}
