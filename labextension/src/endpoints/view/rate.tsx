import * as React from 'react';

import { CurvesFeed } from '../../training/model/curves';
import type { ICurvesPage } from '../../training/model/types';
import { useKubeflow, useSeen } from '../../ui/context';
import { ask } from '../commands';
import { isStopped, variantsOf } from '../model/endpoint';
import { find, recent } from '../model/series';
import type { IEndpoint } from '../model/types';
import { perSecond } from './variants';

/** Between two reads, in milliseconds, and points of the first one: a row shows only the last seconds. */
const PAUSE = 5_000;
const POINTS = 60;

/** Whether the element is in sight: a panel that is closed keeps its rows. */
function useInSight(node: React.RefObject<HTMLElement>): boolean {
  const [shown, setShown] = React.useState(false);
  React.useEffect(() => {
    const element = node.current;
    if (!element) {
      return undefined;
    }
    const observer = new IntersectionObserver(entries =>
      setShown(entries[entries.length - 1].isIntersecting)
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [node]);
  return shown;
}

/** Requests a second of one endpoint, small, for a row; asked for only while the row is in sight. */
export function Rate(props: { item: IEndpoint }): JSX.Element {
  const { item } = props;
  const kubeflow = useKubeflow();
  const node = React.useRef<HTMLSpanElement>(null);
  const inSight = useInSight(node);
  const serves = item.status.phase === 'RUNNING' && !isStopped(item);
  const active = useSeen() && inSight && serves;
  const [, draw] = React.useState(0);
  const { uid, name } = item.metadata;
  const names = variantsOf(item).map(variant => variant.name);
  const asked = names.map(each => `${each}/rate`).join('\n');
  const feed = React.useMemo(
    () =>
      new CurvesFeed({
        read: since =>
          ask<ICurvesPage>(kubeflow, name, 'curves', {
            since,
            limit: POINTS,
            names: asked.split('\n')
          }),
        later: call => {
          // What was read last grows old also where nothing came since.
          draw(count => count + 1);
          const timer = window.setTimeout(call, PAUSE);
          return () => window.clearTimeout(timer);
        }
      }),
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [kubeflow, uid, name, asked]
  );
  React.useEffect(() => {
    if (!active) {
      return undefined;
    }
    feed.follow(true);
    return () => feed.pause();
  }, [feed, active]);
  const now = Date.now() / 1000;
  const rates = names.map(each => recent(find(feed.curves.series, each, 'rate'), now) ?? 0);
  const rate = rates.reduce((sum, each) => sum + each, 0);
  return (
    <span ref={node} className="jk-EndpointRate">
      {active && rate > 0 ? perSecond(rate) : ''}
    </span>
  );
}
