import type { IDifference } from './types';

/** Where an estimate and its interval lie on one axis that has zero in it; shares from 0 to 1. */
export interface IPicture {
  readonly zero: number;
  readonly low: number;
  readonly high: number;
  readonly at: number;
}

export function picture(difference: IDifference): IPicture | null {
  const { estimate } = difference;
  const [low, high] = difference.interval ?? [null, null];
  if (![estimate, low, high].every(value => typeof value === 'number' && Number.isFinite(value))) {
    return null;
  }
  const [from, to] = [Math.min(0, low!, estimate!), Math.max(0, high!, estimate!)];
  const room = (to - from || Math.abs(estimate!) || 1) * 0.08;
  const scale = (value: number) => (value - from + room) / (to - from + 2 * room || 1);
  return { zero: scale(0), low: scale(low!), high: scale(high!), at: scale(estimate!) };
}

/** Good or bad only where there is enough to say so. */
export function tone(difference: IDifference): 'good' | 'bad' | 'off' {
  if (!difference.significant || typeof difference.better !== 'boolean') {
    return 'off';
  }
  return difference.better ? 'good' : 'bad';
}

/** Errors in points, times in milliseconds, outcomes as they are; with its sign. */
export function amount(value: number, unit: string | undefined): string {
  const sign = value > 0 ? '+' : value < 0 ? '−' : '';
  const size = Math.abs(value);
  switch (unit) {
    case 'share':
      return `${sign}${short(size * 100)} %`;
    case 's':
      return size < 1 ? `${sign}${short(size * 1000)} ms` : `${sign}${short(size)} s`;
    default:
      return `${sign}${short(size)}`;
  }
}

/** *12 ms*, *0.4 ms*, *1.5 s*: as latencies are compared, in one unit where it can be. */
export function latency(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) {
    return '–';
  }
  const ms = Math.max(0, seconds) * 1000;
  return ms < 1000 ? `${short(ms < 10 ? ms : Math.round(ms), 2)} ms` : `${short(seconds)} s`;
}

function short(value: number, digits = 3): string {
  return String(Number(value.toPrecision(Math.max(digits, String(Math.trunc(value)).length))));
}
