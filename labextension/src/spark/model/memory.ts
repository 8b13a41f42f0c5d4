/** Amounts of memory in Spark's own words, and what a driver and its executors take together. */

const POWERS: Readonly<Record<string, number>> = { b: 0, k: 10, m: 20, g: 30, t: 40 };
const MEMORY = /^\s*(\d{1,15})\s*([a-zA-Z]{0,2})\s*$/;
const MIB = 2 ** 20;
/** What a JVM needs beside its heap, as Spark counts it: a tenth, at least so much. */
const LEAST_OVERHEAD = 384 * MIB;
/** Spark refuses a smaller heap. */
export const LEAST_HEAP = 450 * MIB;

/** Bytes of `512m`, `2g`, `1Gi`; a bare number is MiB; null if it is none. */
export function sparkBytes(text: string): number | null {
  const [, amount, word] = MEMORY.exec(text) ?? [];
  const unit = (word ?? '').toLowerCase();
  const power = unit === '' ? 20 : /^[kmgt][bi]?$|^b$/.test(unit) ? POWERS[unit[0]] : undefined;
  return amount === undefined || power === undefined ? null : Number(amount) * 2 ** power;
}

function withOverhead(heap: number): number {
  return heap + Math.max(LEAST_OVERHEAD, Math.floor(heap * 0.1));
}

export interface IAsked {
  readonly executors: number;
  /** Of each executor. */
  readonly cores: number;
  /** Bytes of heap of each executor, and of the driver. */
  readonly memory: number;
  readonly driverMemory: number;
  readonly driverCores?: number;
}

/** What is leased from the machine: one executor is part of the driver's process, several are their own. */
export function leased(asked: IAsked): { cores: number; memory: number } {
  const { executors, memory, driverMemory } = asked;
  const apart = withOverhead(driverMemory) + executors * withOverhead(memory);
  return {
    // The driver waits while its executors work: it has no core of its own unless it asks for more than they do.
    cores: Math.max(executors * asked.cores, asked.driverCores ?? 1),
    memory: executors > 1 ? apart : withOverhead(driverMemory + memory)
  };
}
