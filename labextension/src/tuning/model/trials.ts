/** The trials of one experiment: kept by number, patched by increments, sorted and filtered for the table. */
import type { IObjective, IParameterSpec, ITrial, Scalar } from './types';

/** What a trial is called on screen: a pruned one is neither a success nor a failure. */
export type TrialState = 'waiting' | 'running' | 'succeeded' | 'pruned' | 'failed' | 'stopped';

export const TRIAL_STATES: readonly TrialState[] = [
  'running',
  'waiting',
  'succeeded',
  'pruned',
  'failed',
  'stopped'
];

export function trialState(trial: Pick<ITrial, 'state' | 'pruned'>): TrialState {
  if (trial.pruned) {
    return 'pruned';
  }
  switch (trial.state) {
    case 'RUNNING':
    case 'CANCELING':
      return 'running';
    case 'SUCCEEDED':
    case 'SKIPPED':
      return 'succeeded';
    case 'FAILED':
      return 'failed';
    case 'CANCELED':
      return 'stopped';
    default:
      return 'waiting';
  }
}

/** Whether the value counts for the best: it is there, final, and of a trial that ran to its end. */
export function counts(trial: ITrial): boolean {
  return trialState(trial) === 'succeeded' && isNumber(trial.value);
}

export function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** Trials in the order of their numbers. Objects are replaced, never changed. */
export class TrialList {
  /** Counts up with every change. */
  get version(): number {
    return this._version;
  }

  get items(): readonly ITrial[] {
    if (this._stale) {
      this._items = [...this._byName.values()].sort((left, right) => left.number - right.number);
      this._stale = false;
    }
    return this._items;
  }

  get(name: string): ITrial | undefined {
    return this._byName.get(name);
  }

  /** Take over new and changed trials; true if anything is other than before. */
  merge(trials: readonly ITrial[]): boolean {
    let changed = false;
    for (const trial of trials) {
      const old = this._byName.get(trial.name);
      if (!old || !same(old, trial)) {
        this._byName.set(trial.name, trial);
        changed = true;
      }
    }
    if (changed) {
      this._stale = true;
      this._version += 1;
    }
    return changed;
  }

  clear(): void {
    this._byName.clear();
    this._stale = true;
    this._version += 1;
  }

  private _byName = new Map<string, ITrial>();
  private _items: ITrial[] = [];
  private _stale = false;
  private _version = 0;
}

function same(left: ITrial, right: ITrial): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

export type TrialSort =
  'number' | 'state' | 'value' | 'seconds' | `parameter:${string}` | `metric:${string}`;

export interface IOrder {
  readonly by: TrialSort;
  readonly down: boolean;
}

export function sortKey(trial: ITrial, by: TrialSort): Scalar | undefined {
  if (by.startsWith('parameter:')) {
    return trial.parameters[by.slice('parameter:'.length)];
  }
  if (by.startsWith('metric:')) {
    return trial.metrics?.[by.slice('metric:'.length)];
  }
  switch (by) {
    case 'state':
      return TRIAL_STATES.indexOf(trialState(trial));
    case 'value':
      return trial.value;
    case 'seconds':
      return trial.seconds;
    default:
      return trial.number;
  }
}

/** A stable order; trials that lack the value come last either way. */
export function sortTrials(trials: readonly ITrial[], order: IOrder): ITrial[] {
  const sign = order.down ? -1 : 1;
  const keyed = trials.map(trial => ({ trial, key: sortKey(trial, order.by) }));
  keyed.sort((left, right) => {
    const [a, b] = [left.key, right.key];
    const [noA, noB] = [missing(a), missing(b)];
    if (noA || noB) {
      return Number(noA) - Number(noB);
    }
    return sign * compared(a!, b!);
  });
  return keyed.map(each => each.trial);
}

function missing(value: Scalar | undefined): boolean {
  return value === null || value === undefined || Number.isNaN(value);
}

function compared(left: NonNullable<Scalar>, right: NonNullable<Scalar>): number {
  if (typeof left === 'number' && typeof right === 'number') {
    return left - right;
  }
  const [a, b] = [String(left), String(right)];
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Trials of these states (all, if none is named) whose text has every word; `lr=0.1` filters a parameter. */
export function filterTrials(
  trials: readonly ITrial[],
  states: ReadonlySet<TrialState>,
  query: string
): readonly ITrial[] {
  const words = query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  if (!states.size && !words.length) {
    return trials;
  }
  return trials.filter(
    trial =>
      (!states.size || states.has(trialState(trial))) && words.every(word => matches(trial, word))
  );
}

function matches(trial: ITrial, word: string): boolean {
  const [name, value] = word.split('=', 2);
  if (value !== undefined) {
    return Object.entries(trial.parameters).some(
      ([key, given]) =>
        key.toLocaleLowerCase() === name && String(given).toLocaleLowerCase().startsWith(value)
    );
  }
  if (/^\d+$/.test(word)) {
    return String(trial.number) === word;
  }
  return (
    trial.name.toLocaleLowerCase().includes(word) ||
    Boolean(trial.reason?.toLocaleLowerCase().includes(word))
  );
}

export function stateCounts(trials: readonly ITrial[]): Record<TrialState, number> {
  const found = Object.fromEntries(TRIAL_STATES.map(state => [state, 0]));
  for (const trial of trials) {
    found[trialState(trial)] += 1;
  }
  return found as Record<TrialState, number>;
}

export function better(objective: Pick<IObjective, 'type'>, left: number, right: number): boolean {
  return objective.type === 'minimize' ? left < right : left > right;
}

/** The best trial that ran to its end, or null. */
export function bestTrial(trials: readonly ITrial[], objective: IObjective): ITrial | null {
  let best: ITrial | null = null;
  for (const trial of trials) {
    if (counts(trial) && (!best || better(objective, trial.value!, best.value!))) {
      best = trial;
    }
  }
  return best;
}

/** Each trial that was better than all before it: the corners of "best so far". */
export function improvements(
  trials: readonly ITrial[],
  objective: Pick<IObjective, 'type'>
): { number: number; value: number; name: string }[] {
  const found: { number: number; value: number; name: string }[] = [];
  for (const trial of trials) {
    const last = found[found.length - 1];
    if (counts(trial) && (!last || better(objective, trial.value!, last.value))) {
      found.push({ number: trial.number, value: trial.value!, name: trial.name });
    }
  }
  return found;
}

/** Names of at most so many trials: all, or else half of them the best and half the latest. */
export function notable(
  trials: readonly ITrial[],
  objective: Pick<IObjective, 'type'>,
  most: number
): string[] {
  if (trials.length <= most) {
    return trials.map(trial => trial.name);
  }
  const order: IOrder = { by: 'value', down: objective.type === 'maximize' };
  const found = new Set(
    sortTrials(trials, order)
      .slice(0, most / 2)
      .map(trial => trial.name)
  );
  for (let index = trials.length - 1; index >= 0 && found.size < most; index--) {
    found.add(trials[index].name);
  }
  return [...found];
}

/** Names of metrics beside the objective, those first that most trials have. */
export function extraMetrics(trials: readonly ITrial[], objective: string): string[] {
  const found = new Map<string, number>();
  for (const trial of trials) {
    for (const name of Object.keys(trial.metrics ?? {})) {
      found.set(name, (found.get(name) ?? 0) + 1);
    }
  }
  found.delete(objective);
  return [...found].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
}

/** The experiment's parameters, then those that only trials speak of. */
export function parameterNames(
  declared: readonly IParameterSpec[],
  trials: readonly ITrial[]
): string[] {
  const names = new Set(declared.map(parameter => parameter.name));
  for (const trial of trials) {
    for (const name of Object.keys(trial.parameters)) {
      names.add(name);
    }
  }
  return [...names];
}
