/** Ranges chosen on axes: which trials lie in all of them, and how keys move their ends. */
import type { IScale } from '../../chart/scales';
import type { IAxis } from './axes';
import type { ITrial } from './types';

/** From and to on the axis, as shares from 0 to 1. */
export type Range = readonly [number, number];

/** By axis; an axis that is absent lets all trials pass. */
export type Brush = Readonly<Record<string, Range>>;

export const NO_BRUSH: Brush = {};

/** Nearer than this counts as on the end of the range. */
const EDGE = 1e-6;

export function isBrushed(brush: Brush): boolean {
  return Object.keys(brush).length > 0;
}

/** A range that covers the whole axis is none. */
export function setRange(brush: Brush, axis: string, range: Range | null): Brush {
  const rest: Record<string, Range> = { ...brush };
  delete rest[axis];
  if (!range) {
    return rest;
  }
  const [low, high] = [Math.min(...range), Math.max(...range)];
  const clipped: Range = [Math.max(0, low), Math.min(1, high)];
  return clipped[0] <= EDGE && clipped[1] >= 1 - EDGE ? rest : { ...rest, [axis]: clipped };
}

/** Which trials lie in all ranges; null if all do. A trial without a place on a brushed axis is out. */
export function brushed(
  brush: Brush,
  axes: readonly IAxis[],
  trials: readonly ITrial[]
): ReadonlySet<string> | null {
  const active = axes.filter(axis => brush[axis.id]);
  if (!active.length) {
    return null;
  }
  const found = new Set<string>();
  for (const trial of trials) {
    const inside = active.every(axis => {
      const at = axis.scale.at(axis.read(trial));
      const [low, high] = brush[axis.id];
      return at >= low - EDGE && at <= high + EDGE;
    });
    if (inside) {
      found.add(trial.name);
    }
  }
  return found;
}

/** Where a key moves one end of a range; null if it is no key for that. */
export function moveEnd(
  range: Range,
  end: 0 | 1,
  key: string,
  scale: IScale,
  large = false
): Range | null {
  const step = scale.step * (large && scale.kind !== 'category' ? 5 : 1);
  const moves: Record<string, number> = {
    ArrowUp: range[end] + step,
    ArrowRight: range[end] + step,
    ArrowDown: range[end] - step,
    ArrowLeft: range[end] - step,
    PageUp: range[end] + step * 5,
    PageDown: range[end] - step * 5,
    Home: end === 0 ? 0 : range[0],
    End: end === 0 ? range[1] : 1
  };
  if (!(key in moves)) {
    return null;
  }
  const moved = Math.min(1, Math.max(0, moves[key]));
  return end === 0 ? [Math.min(moved, range[1]), range[1]] : [range[0], Math.max(moved, range[0])];
}

/** A range drawn by hand, made to hold the categories it touches. */
export function drawn(from: number, to: number, scale: IScale): Range {
  const [low, high] = [Math.min(from, to), Math.max(from, to)];
  if (scale.kind !== 'category') {
    return [low, high];
  }
  if (scale.step > 1) {
    return [0, 1];
  }
  const near = scale.step / 4;
  const first = Math.ceil((low - near) / scale.step);
  const last = Math.floor((high + near) / scale.step);
  const nearest = Math.round((low + high) / 2 / scale.step);
  return first <= last
    ? [Math.abs(first * scale.step), last * scale.step]
    : [nearest * scale.step, nearest * scale.step];
}
