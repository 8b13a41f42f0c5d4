import * as React from 'react';

import { isActive } from '../../model/states';
import { useKubeflow, useSeen } from '../../ui/context';
import { CurvesFeed } from '../../training/model/curves';
import type { ICurvesPage } from '../../training/model/types';
import { ask } from '../commands';
import { isStopped } from '../model/endpoint';
import type { IEndpoint } from '../model/types';

/** What the gateway measured, read while somebody looks and the endpoint serves; and a count that grows with it. */
export function useMeasured(item: IEndpoint): { feed: CurvesFeed; count: number } {
  const kubeflow = useKubeflow();
  const seen = useSeen();
  const [count, setCount] = React.useState(0);
  const { uid, name } = item.metadata;
  // An endpoint of the same name that was made anew has measurements of its own.
  const feed = React.useMemo(
    () =>
      new CurvesFeed({
        read: (since, limit) => ask<ICurvesPage>(kubeflow, name, 'curves', { since, limit }),
        later: (call, milliseconds) => {
          const timer = window.setTimeout(call, milliseconds);
          return () => window.clearTimeout(timer);
        }
      }),
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [kubeflow, uid, name]
  );
  const active = isActive(item.status.phase) && !isStopped(item);
  React.useEffect(() => {
    if (!seen) {
      return undefined;
    }
    const slot = () => setCount(value => value + 1);
    feed.changed.connect(slot);
    feed.follow(active);
    return () => {
      feed.changed.disconnect(slot);
      feed.pause();
    };
  }, [feed, seen, active]);
  return { feed, count };
}
