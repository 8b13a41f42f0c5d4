import { clock, duration } from '../../format';

/** Seconds since the start, with parts of them where they matter. */
export function secondsText(seconds: number): string {
  return seconds > 0 && seconds < 10 ? duration(seconds) : clock(seconds);
}
