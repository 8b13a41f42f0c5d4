import * as React from 'react';

import { millis } from '../../format';
import { pluralOf } from '../../model/kinds';
import { isActive } from '../../model/states';
import { useKubeflow, useSeen } from '../../ui/context';
import { CurvesFeed } from '../model/curves';
import type { ICurvesPage, ITrainJob } from '../model/types';

/** The points of jobs: read while somebody looks, and only what is new. */
export function useFeeds(jobs: readonly ITrainJob[]): { feeds: CurvesFeed[]; count: number } {
  const kubeflow = useKubeflow();
  const seen = useSeen();
  const [count, setCount] = React.useState(0);
  const known = React.useRef(new Map<string, CurvesFeed>());
  // A job of the same name that was made anew has curves of its own.
  const feeds = jobs.map(job => {
    const { uid, name } = job.metadata;
    const path = `${pluralOf(job.kind)}/${encodeURIComponent(name)}:curves`;
    const feed =
      known.current.get(uid) ??
      new CurvesFeed({
        read: (since, limit) =>
          kubeflow.request<ICurvesPage>(path, { method: 'POST', body: { since, limit } }),
        later: (call, milliseconds) => {
          const timer = window.setTimeout(call, milliseconds);
          return () => window.clearTimeout(timer);
        }
      });
    known.current.set(uid, feed);
    return feed;
  });
  const active = jobs.map(({ status }) => isActive(status.phase) && status.phase !== 'PAUSED');
  const key = jobs.map(({ metadata }, index) => `${metadata.uid}:${active[index]}`).join();
  React.useEffect(() => {
    if (!seen) {
      return undefined;
    }
    const slot = () => setCount(value => value + 1);
    feeds.forEach((feed, index) => {
      feed.changed.connect(slot);
      feed.follow(active[index]);
    });
    slot();
    return () =>
      feeds.forEach(feed => {
        feed.changed.disconnect(slot);
        feed.pause();
      });
    // The key names the feeds and whether they are active.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key, seen]);
  return { feeds, count };
}

/** When the job began, in seconds since 1970, as far as it or its points tell. */
export function startOf(job: ITrainJob, feed: CurvesFeed): number {
  const first = feed.curves.series.map(series => series.times[0] ?? Infinity);
  const started = millis(job.status.startTime);
  return Math.min(started === null ? Infinity : started / 1000, ...first);
}
