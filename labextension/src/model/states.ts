import type { RunState } from './types';

/** How a state is coloured: the tones map to theme variables in the style sheet. */
export type Tone = 'wait' | 'run' | 'good' | 'bad' | 'off';

export const STATES: readonly RunState[] = [
  'PENDING',
  'RUNNING',
  'SUCCEEDED',
  'SKIPPED',
  'FAILED',
  'CANCELING',
  'CANCELED',
  'PAUSED'
];

const TONES: Record<RunState, Tone> = {
  PENDING: 'wait',
  RUNNING: 'run',
  SUCCEEDED: 'good',
  SKIPPED: 'off',
  FAILED: 'bad',
  CANCELING: 'wait',
  CANCELED: 'off',
  PAUSED: 'wait'
};

/** English words; the badge translates them. */
export const STATE_WORDS: Record<RunState, string> = {
  PENDING: 'Waiting',
  RUNNING: 'Running',
  SUCCEEDED: 'Succeeded',
  SKIPPED: 'Skipped',
  FAILED: 'Failed',
  CANCELING: 'Stopping',
  CANCELED: 'Stopped',
  PAUSED: 'Paused'
};

/** The state as known here; what a newer server may say counts as waiting. */
export function knownState(state: string | null | undefined): RunState {
  return state && state in TONES ? (state as RunState) : 'PENDING';
}

export function tone(state: RunState): Tone {
  return TONES[state];
}

export function isFinished(state: string | null | undefined): boolean {
  return state === 'SUCCEEDED' || state === 'FAILED' || state === 'CANCELED' || state === 'SKIPPED';
}

export function isActive(state: string | null | undefined): boolean {
  return !isFinished(state);
}
