import { isActive } from './states';
import type { IWork } from './types';

const DAY = 24 * 3600 * 1000;

/** Names one resource among those of all kinds. */
export function keyOf(item: IWork): string {
  return `${item.kind}/${item.metadata.name}`;
}

export function splitKey(key: string): { kind: string; name: string } {
  const at = key.indexOf('/');
  return { kind: key.slice(0, at), name: key.slice(at + 1) };
}

function created(item: IWork): string {
  return item.metadata.creationTimestamp ?? '';
}

/** Lists that are each newest first, as one that is. */
export function newestFirst(lists: readonly (readonly IWork[])[]): readonly IWork[] {
  const filled = lists.filter(items => items.length);
  if (filled.length <= 1) {
    return filled[0] ?? [];
  }
  const order = (a: IWork, b: IWork) =>
    Number(created(a) < created(b)) - Number(created(a) > created(b));
  return filled.flat().sort(order);
}

/** What runs or waits, and what failed in the last day until somebody looked. */
export function goingOn(
  items: readonly IWork[],
  seen: (key: string) => boolean,
  now: number
): string[] {
  const active = items.filter(item => isActive(item.status.phase));
  const failed = items.filter(item => {
    const ended = Date.parse(item.status.completionTime ?? created(item)) || 0;
    return item.status.phase === 'FAILED' && now - ended < DAY && !seen(keyOf(item));
  });
  return [...active, ...failed].map(keyOf);
}
