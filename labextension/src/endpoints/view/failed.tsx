import * as React from 'react';

import { useKubeflow } from '../../ui/context';
import { Button } from '../../ui/controls';
import { EndpointCommands } from '../commands';
import { failedVariant, inForce, splitOf, splitText, variantsOf } from '../model/endpoint';
import type { IPaneProps } from './view';

/** A variant whose model could not be loaded: its error in its place, while others go on serving. */
export function FailedVariant(props: IPaneProps): JSX.Element | null {
  const { item, onPlace } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const failed = failedVariant(item);
  if (!failed) {
    return null;
  }
  const before = inForce(item);
  const ready = variantsOf(item).filter(({ state }) => state === 'ready' || state === 'asleep');
  const names = new Set(ready.map(({ name }) => name));
  const serving = before ?? splitOf(item).filter(({ name }) => names.has(name));
  const [first, ...more] = failed.message.trim().split('\n');
  const trace = failed.traceback || (more.length ? failed.message : '');
  const what = failed.name
    ? trans.__('%1 could not be loaded', failed.name)
    : trans.__('The model could not be loaded');
  const args = { name: item.metadata.name, variant: failed.name };
  return (
    <section className="jk-Banner" aria-label={trans.__('What failed')}>
      <div className="jk-Banner-text">
        <p className="jk-Banner-message" dir="auto">
          <strong>{what}</strong>
          {first && `: ${first}`}
        </p>
        <p className="jk-Banner-place">
          {serving.length
            ? trans.__('What served before goes on: %1.', splitText(serving))
            : trans.__('Nothing serves now: requests are answered with this reason.')}
        </p>
        {trace && (
          <details className="jk-Traceback">
            <summary>{trans.__('Traceback')}</summary>
            <pre tabIndex={0}>{trace}</pre>
          </details>
        )}
      </div>
      <div className="jk-Banner-actions">
        <Button
          label={trans.__('Show log')}
          onClick={() => onPlace({ tab: 'log', part: failed.name })}
        />
        <Button label={trans.__('Roll back…')} onClick={() => onPlace({ tab: 'revisions' })} />
        {splitOf(item).length > 1 && serving.length > 0 && (
          <Button
            label={trans.__('Remove %1', failed.name)}
            onClick={() => kubeflow.execute(EndpointCommands.removeVariant, args)}
          />
        )}
      </div>
    </section>
  );
}
