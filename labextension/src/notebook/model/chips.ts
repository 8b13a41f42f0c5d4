/** What a cell's chip says, as plain values: equal values mean that nothing has to be drawn. */
import { STATE_WORDS } from '../../model/states';
import type { IProblem, IStep, RunState } from '../../model/types';
import { clock, duration } from '../../format';
import type { ICellStep } from './graph';
import type { IStepRun } from './runs';
import type { IText } from '../../model/text';

/** How a cell stands to the step under the pointer; null while there is none. */
export type Light = 'self' | 'upstream' | 'downstream' | 'dim' | null;

/** One cell's chip. */
export interface IChip {
  readonly step: string;
  /** The name as it is shown. */
  readonly text: string;
  /** Turns of the hue, from 0. */
  readonly order: number;
  readonly first: boolean;
  readonly setup: boolean;
  readonly state: RunState | null;
  readonly cached: boolean;
  /** Duration or progress; short enough for the margin. */
  readonly time: string;
  readonly severity: 'error' | 'warning' | null;
  /** Step and state in words, for assistive technology. */
  readonly label: string;
  /** The whole of it, as the tooltip. */
  readonly title: string;
}

/** The chip of one cell. `now` is in milliseconds, for steps that run. */
export function chip(
  place: ICellStep,
  run: IStepRun | null,
  problems: readonly IProblem[],
  now: number,
  trans: IText
): IChip {
  const { step, order, first } = place;
  const severity = problems.some(problem => problem.severity === 'error')
    ? 'error'
    : problems.some(problem => problem.severity === 'warning')
      ? 'warning'
      : null;
  return {
    step: step.name,
    text: step.kind === 'setup' ? trans.__('setup') : step.name,
    order,
    first,
    setup: step.kind === 'setup',
    state: run?.state ?? null,
    cached: run?.cached ?? false,
    time: run ? runTime(run, now) : '',
    severity,
    label: `${stepWords(step, trans)}, ${outcomeWords(run, trans)}`,
    title: describe(step, run, trans)
  };
}

/** Whether two chips look the same. */
export function sameChip(left: IChip, right: IChip): boolean {
  return (Object.keys(left) as (keyof IChip)[]).every(key => left[key] === right[key]);
}

/** How long a step has taken; a running one ticks in whole seconds. */
export function runTime(run: IStepRun, now: number): string {
  if (run.rounds && run.state === 'RUNNING') {
    return `${run.rounds.done}/${run.rounds.all}`;
  }
  if (run.state === 'RUNNING' && run.startedAt) {
    return clock(Math.max(0, now - Date.parse(run.startedAt)) / 1000);
  }
  if (run.seconds === null || run.cached || run.state === 'SKIPPED') {
    return '';
  }
  return run.state === 'SUCCEEDED' || run.state === 'FAILED' ? duration(run.seconds) : '';
}

function stepWords(step: IStep, trans: IText): string {
  return step.kind === 'setup' ? trans.__('Setup') : trans.__('Step %1', step.name);
}

function outcomeWords(run: IStepRun | null, trans: IText): string {
  if (!run) {
    return trans.__('not run yet');
  }
  if (run.cached) {
    return trans.__('taken from the cache');
  }
  const word = trans.__(STATE_WORDS[run.state]).toLowerCase();
  return run.seconds === null ? word : trans.__('%1 in %2', word, duration(run.seconds));
}

function describe(step: IStep, run: IStepRun | null, trans: IText): string {
  const lines = [`${stepWords(step, trans)}, ${outcomeWords(run, trans)}`];
  if (step.kind === 'setup') {
    lines.push(trans.__('Runs before every step'));
  } else if (step.title && step.title !== step.name) {
    lines.unshift(step.title);
  }
  if (run?.reason) {
    lines.push(run.reason);
  }
  if (step.reads.length) {
    lines.push(trans.__('Reads %1', names(step.reads)));
  }
  if (step.writes.length) {
    lines.push(trans.__('Writes %1', names(step.writes)));
  }
  return lines.join('\n');
}

/** The first few names, and how many more. */
export function names(list: readonly string[], most = 6): string {
  const more = list.length - most;
  const shown = list.slice(0, most).join(', ');
  return more > 0 ? `${shown} +${more}` : shown;
}
