import type { RunState } from '../model/types';

/** What the server says of a part that could not be looked at. */
export interface IBroken {
  readonly error: { readonly message: string };
}

/** One line of a list. */
export interface IRow {
  readonly kind: string;
  readonly name: string;
  readonly title: string;
  readonly phase: RunState;
  readonly reason?: string | null;
  readonly created: string;
  readonly progress?: number;
  readonly startTime?: string;
  readonly completionTime?: string;
  readonly seconds?: number;
}

export interface IHolder {
  /** Null where the resource is gone and its lease not yet. */
  readonly kind: string | null;
  readonly name: string;
  readonly unit: string;
}

/** What somebody has, or waits for: thousandths of a CPU, bytes, whole GPUs. */
export interface IShare extends IHolder {
  readonly cpu: number;
  readonly memory: number;
  readonly gpus: number;
}

export interface IGpu {
  readonly uuid: string;
  readonly index: number;
  readonly name: string;
  readonly memory: number;
  readonly holder: IHolder | null;
  /** 0 to 1; null where nobody measured. */
  readonly use: number | null;
  readonly state: 'free' | 'idle' | 'used';
}

export interface IAmount {
  readonly total: number;
  readonly free: number;
}

export interface ICapacity {
  readonly cpu: IAmount;
  readonly memory: IAmount;
  readonly gpus: readonly IGpu[];
  readonly holders: readonly IShare[];
  readonly waiting: readonly IShare[];
}

export interface IWorkPart {
  readonly active: readonly IRow[];
  readonly failed: readonly IRow[];
  readonly recent: readonly IRow[];
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly schedules: readonly (IRow & { readonly next?: string | null })[];
}

export interface IEndpointRow extends IRow {
  readonly variants: readonly {
    readonly name?: string;
    readonly percent?: number;
    readonly model?: string;
    readonly version?: string | number;
    readonly state?: string;
  }[];
  /** Requests a second, and the share of them that failed. */
  readonly rate?: number;
  readonly errors?: number;
}

export interface IComponent {
  readonly name: string;
  readonly state: 'available' | 'degraded' | 'missing';
  readonly reason: string;
  readonly remedy: string;
}

export interface IStorage {
  readonly parts: Readonly<Record<string, number>>;
  readonly total: number;
  readonly free: number;
  readonly whole: boolean;
}

export interface ILink {
  readonly title: string;
  readonly url: string;
}

/** Cores, bytes, GPUs and pods that were asked for. */
export interface IUsed {
  readonly cpu: number;
  readonly memory: number;
  readonly gpus: number;
  readonly pods: number;
}

/** In cores, bytes and numbers. */
export interface IQuota {
  readonly name: string;
  readonly rows: readonly {
    readonly resource: string;
    readonly used: number;
    readonly hard: number;
  }[];
}

export interface IUse {
  readonly people: readonly (IUsed & { readonly name: string })[];
  readonly kinds: readonly (IUsed & { readonly kind: string })[];
  readonly total: IUsed;
}

export interface IPerson {
  readonly name: string;
  readonly kind: 'User' | 'Group';
  readonly role: string;
  readonly isOwner: boolean;
}

export interface IProfiles {
  readonly rows: readonly (Partial<IUsed> & {
    readonly name: string;
    readonly owner: string;
    readonly isUsed: boolean;
  })[];
  readonly count: number;
  readonly isAdmin: boolean;
}

/** The whole page as `GET home` gives it; what does not apply is not there. */
export interface IPage {
  readonly profile: { readonly name: string; readonly cluster: string; readonly kind: string };
  readonly capacity?: ICapacity | IBroken;
  readonly quota?: readonly IQuota[] | IBroken;
  readonly use?: IUse | IBroken;
  readonly contributors?: readonly IPerson[] | IBroken;
  readonly profiles?: IProfiles | IBroken;
  readonly work?: IWorkPart | IBroken;
  readonly endpoints?: readonly IEndpointRow[] | IBroken;
  readonly components?: readonly IComponent[] | IBroken;
  readonly storage?: IStorage | IBroken;
  readonly links?: readonly ILink[] | IBroken;
}

export function isBroken(part: unknown): part is IBroken {
  return typeof part === 'object' && part !== null && 'error' in part;
}

/** Whether nothing was made here yet: then the page teaches the first step. */
export function isEmpty(page: IPage): boolean {
  const { work, endpoints } = page;
  if (!work || isBroken(work) || isBroken(endpoints)) {
    return false;
  }
  const made = Object.keys(work.counts).length + work.schedules.length + (endpoints?.length ?? 0);
  return made === 0;
}

/** Colours for holders: the same holder has the same one in every bar. */
export const COLOURS = 6;

/** A number for each holder by its name, in the order in which they asked. */
export function colours(capacity: ICapacity): ReadonlyMap<string, number> {
  const names = [
    ...capacity.holders.map(({ name }) => name),
    ...capacity.gpus.flatMap(({ holder }) => (holder ? [holder.name] : []))
  ];
  return new Map([...new Set(names)].map((name, at) => [name, at % COLOURS]));
}

/** One row for each holder, however many leases it has. */
export function byHolder(shares: readonly IShare[]): readonly IShare[] {
  const found = new Map<string, IShare>();
  for (const share of shares) {
    const key = `${share.kind}/${share.name}`;
    const known = found.get(key);
    found.set(
      key,
      known
        ? {
            ...known,
            unit: '',
            cpu: known.cpu + share.cpu,
            memory: known.memory + share.memory,
            gpus: known.gpus + share.gpus
          }
        : share
    );
  }
  return [...found.values()];
}

/** How many of a kind there are in all, how many go on, and how many failed. */
export function totals(counts: Readonly<Record<string, number>>): {
  all: number;
  active: number;
  failed: number;
} {
  const of = (...phases: string[]) => phases.reduce((sum, phase) => sum + (counts[phase] ?? 0), 0);
  return {
    all: Object.values(counts).reduce((sum, count) => sum + count, 0),
    active: of('PENDING', 'RUNNING', 'CANCELING'),
    failed: of('FAILED')
  };
}

/** Whether a quota's amount is of bytes. */
export function isOfBytes(resource: string): boolean {
  return /memory|storage/.test(resource) && !/^count\//.test(resource);
}
