import { isFinished, knownState } from '../model/states';
import type { IPipeline, IStepStatus, Json, RunState } from '../model/types';

/** A task of a compiled pipeline that is a DAG; its id ends with a slash, as no step's does. */
export interface IGroup {
  id: string;
  /** Empty at the top. */
  parent: string;
  title: string;
  kind: 'dag' | 'loop' | 'condition' | 'branches' | 'exit';
  condition: string;
  item: string;
  /** How many iterations run at a time; 0 for no limit. */
  limit: number;
  always: boolean;
}

/** What a compiled pipeline says of a step beside what every step has. */
export interface ITask {
  group: string;
  kind: 'python' | 'container' | 'importer';
  /** It is an exit task: it runs whatever happened before. */
  always: boolean;
  condition: string;
  item: string;
  /** Where each input comes from, in words; empty for what is written in the pipeline. */
  inputs: Record<string, string>;
}

/** A parameter of a compiled pipeline, as a form asks for it. */
export interface IAsked {
  name: string;
  type: string;
  required: boolean;
  default: Json;
  literals: Json[];
}

/** One iteration of a loop: of a step (`add[2]`) or of all that is in a loop (`for-loop-1/[2]`). */
export interface IIteration {
  id: string;
  index: readonly number[];
  state: RunState | null;
  /** What it goes over, short. */
  item: string;
  seconds?: number | null;
}

/** Which iteration is looked at, by the id of the loop. */
export type Chosen = ReadonlyMap<string, readonly number[]>;

export const NONE_CHOSEN: Chosen = new Map();

/** The DAGs around the steps of a compiled pipeline; null for what is made from a notebook. */
export class Outline {
  static of(pipeline: IPipeline | undefined | null): Outline | null {
    const metadata = pipeline?.metadata;
    return metadata?.groups && metadata.tasks ? new Outline(metadata) : null;
  }

  private constructor(metadata: Record<string, Json>) {
    this.groups = metadata.groups as unknown as IGroup[];
    this.tasks = metadata.tasks as unknown as Record<string, ITask>;
    this.parameters = (metadata.parameters ?? []) as unknown as IAsked[];
    this._byId = new Map(this.groups.map(group => [group.id, group]));
  }

  readonly groups: readonly IGroup[];
  readonly tasks: Readonly<Record<string, ITask>>;
  readonly parameters: readonly IAsked[];

  group(id: string): IGroup | undefined {
    return this._byId.get(id);
  }

  /** The group of a step or of a group; empty at the top. */
  around(id: string): string {
    return this._byId.get(id)?.parent ?? this.tasks[id]?.group ?? '';
  }

  /** The groups around a step or group, outer ones first; a group itself is the last. */
  chain(id: string): IGroup[] {
    const found: IGroup[] = [];
    const own = this._byId.get(id);
    for (
      let at = own ?? this._byId.get(this.around(id));
      at && found.length < 100;
      at = this._byId.get(at.parent)
    ) {
      found.unshift(at);
    }
    return found;
  }

  /** How many loops an iteration of it is in, its own included. */
  depth(id: string): number {
    const around = this.chain(id).filter(group => group.kind === 'loop').length;
    return around + (this.tasks[id]?.item ? 1 : 0);
  }

  /** The iteration that is looked at of the loops around; as far as one was chosen. */
  prefix(id: string, chosen: Chosen): readonly number[] {
    let found: readonly number[] = [];
    let depth = 0;
    for (const group of this.chain(id)) {
      if (group.kind === 'loop') {
        depth += 1;
        const here = chosen.get(group.id);
        if (!here || here.length !== depth || !startsWith(here, found)) {
          return found;
        }
        found = here;
      }
    }
    return found;
  }

  /** The loops around what was selected show the iteration that it is of. */
  choose(old: Chosen, selected: string | null | undefined): Chosen {
    const { base, index } = splitId(selected ?? '');
    const next = new Map(old);
    if (index) {
      this.chain(base)
        .filter(group => group.kind === 'loop')
        .forEach((group, at) => at < index.length && next.set(group.id, index.slice(0, at + 1)));
    } else if (this._byId.get(base)?.kind === 'loop') {
      next.delete(base);
    }
    return same(old, next) ? old : next;
  }

  private readonly _byId: ReadonlyMap<string, IGroup>;
}

/** The worst problem found in each step. */
export function worstProblems(pipeline: IPipeline): Map<string, 'error' | 'warning'> {
  const worst = new Map<string, 'error' | 'warning'>();
  for (const problem of pipeline.problems ?? []) {
    if (problem.step && problem.severity !== 'info' && worst.get(problem.step) !== 'error') {
      worst.set(problem.step, problem.severity);
    }
  }
  return worst;
}

function same(a: Chosen, b: Chosen): boolean {
  return a.size === b.size && [...a].every(([id, index]) => b.get(id)?.join() === index.join());
}

/** `add[2,0]` is the step `add` and the iteration 2,0. */
export function splitId(id: string): { base: string; index: number[] | null } {
  const found = /^(.*)\[(\d+(?:,\d+)*)\]$/.exec(id);
  return found
    ? { base: found[1], index: found[2].split(',').map(Number) }
    : { base: id, index: null };
}

export function isGroup(id: string | null | undefined): boolean {
  return splitId(id ?? '').base.endsWith('/');
}

export function startsWith(index: readonly number[], prefix: readonly number[]): boolean {
  return prefix.every((number, at) => index[at] === number);
}

/** How several of one kind stand together. */
export class Sum {
  count = 0;
  done = 0;
  cached = 0;
  reason = '';
  startedAt: string | null = null;
  finishedAt: string | null = null;

  add(status: IStepStatus): void {
    const state = knownState(status.state);
    this.count += 1;
    this.done += isFinished(state) ? 1 : 0;
    this.cached += status.cached ? 1 : 0;
    this._states.set(state, (this._states.get(state) ?? 0) + 1);
    if (status.reason && (state === 'FAILED' || (!this.reason && state === 'SKIPPED'))) {
      this.reason = this._failed ? this.reason : status.reason;
      this._failed = state === 'FAILED';
    }
    if (status.startedAt && (!this.startedAt || status.startedAt < this.startedAt)) {
      this.startedAt = status.startedAt;
    }
    if (status.finishedAt && (!this.finishedAt || status.finishedAt > this.finishedAt)) {
      this.finishedAt = status.finishedAt;
    }
  }

  has(state: RunState): number {
    return this._states.get(state) ?? 0;
  }

  get state(): RunState {
    if (this.has('RUNNING')) {
      return 'RUNNING';
    }
    if (this.done === this.count) {
      const order: RunState[] = ['FAILED', 'CANCELED', 'SUCCEEDED', 'SKIPPED'];
      return order.find(state => this.has(state)) ?? 'PENDING';
    }
    // Something ended and something waits: it is under way, or nothing of it will go on.
    return this.has('FAILED') ? 'FAILED' : this.has('SUCCEEDED') ? 'RUNNING' : 'PENDING';
  }

  /** Why it stands so, where that needs saying. */
  get why(): string {
    return this.state === 'FAILED' || this.state === 'SKIPPED' ? this.reason : '';
  }

  get seconds(): number | null {
    const { startedAt, finishedAt } = this;
    const over = this.done === this.count && startedAt && finishedAt;
    return over ? (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000 : null;
  }

  private _failed = false;
  private readonly _states = new Map<RunState, number>();
}
