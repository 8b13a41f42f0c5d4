/** What may be typed for a step's resources and limits; each check gives a sentence or null. */

import type { IText } from './text';

const MEMORY_UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['k', 1e3],
  ['M', 1e6],
  ['G', 1e9],
  ['T', 1e12],
  ['Ki', 2 ** 10],
  ['Mi', 2 ** 20],
  ['Gi', 2 ** 30],
  ['Ti', 2 ** 40]
]);

const SECONDS: ReadonlyMap<string, number> = new Map([
  ['ms', 0.001],
  ['s', 1],
  ['sec', 1],
  ['m', 60],
  ['min', 60],
  ['h', 3600],
  ['d', 86400]
]);

/** Thousandths of a CPU, or null if it is no amount of CPU. */
export function parseCpu(text: string): number | null {
  const match = /^(\d+)m$|^(\d+(?:\.\d+)?|\.\d+)$/.exec(text.trim());
  if (!match) {
    return null;
  }
  const milli = match[1] ? Number(match[1]) : Number(match[2]) * 1000;
  return milli > 0 ? Math.round(milli) : null;
}

/** Bytes, or null if it is no amount of memory. */
export function parseMemory(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(text.trim());
  const factor = match ? MEMORY_UNITS.get(match[2] ?? '') : undefined;
  if (!match || factor === undefined) {
    return null;
  }
  const bytes = Number(match[1]) * factor;
  return bytes > 0 ? Math.round(bytes) : null;
}

/** Seconds from `90`, `90s`, `10m`, `1.5h`, or null. */
export function parseDuration(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)(ms|s|sec|m|min|h|d)?$/.exec(text.trim().toLowerCase());
  const factor = match ? SECONDS.get(match[2] ?? 's') : undefined;
  const seconds = match && factor ? Number(match[1]) * factor : 0;
  return seconds > 0 ? seconds : null;
}

export function checkCpu(text: string, trans: IText): string | null {
  return text.trim() === '' || parseCpu(text) !== null
    ? null
    : trans.__('CPU is a number of cores, such as 2, 0.5 or 500m.');
}

export function checkMemory(text: string, trans: IText): string | null {
  if (text.trim() === '') {
    return null;
  }
  const bytes = parseMemory(text);
  if (bytes === null) {
    return trans.__('Memory is a number with its unit, such as 4Gi or 512Mi.');
  }
  // A bare `4` is four bytes: surely a forgotten unit.
  return bytes < 2 ** 20
    ? trans.__('%1 is %2 bytes; did you mean %1Gi?', text.trim(), bytes)
    : null;
}

export function checkGpu(text: string, trans: IText): string | null {
  return text.trim() === '' || /^\d+$/.test(text.trim())
    ? null
    : trans.__('GPUs are counted whole, such as 1.');
}

export function checkRetry(text: string, trans: IText): string | null {
  return text.trim() === '' || /^\d{1,3}$/.test(text.trim())
    ? null
    : trans.__('Retries are a whole number, such as 2.');
}

export function checkTimeout(text: string, trans: IText): string | null {
  return text.trim() === '' || parseDuration(text) !== null
    ? null
    : trans.__('A time limit is a number of seconds, such as 90, or 10m, 1h.');
}

/** `VAR in EXPR`, as in a Python for statement. */
export function checkForeach(text: string, trans: IText): string | null {
  return text.trim() === '' || /^[A-Za-z_]\w*(\s*,\s*[A-Za-z_]\w*)*\s+in\s+\S/.test(text.trim())
    ? null
    : trans.__('Write it as in Python: name in values.');
}

/** A step's name: new to the pipeline and usable in tags and on the `%%step` line. */
export function checkName(text: string, taken: readonly string[], trans: IText): string | null {
  const name = text.trim();
  if (name === '') {
    return trans.__('A step needs a name.');
  }
  if (!/^[A-Za-z_]([\w-]{0,61}\w)?$/.test(name)) {
    return trans.__('Letters, digits, - and _ only, starting with a letter; at most 63.');
  }
  return taken.includes(name) ? trans.__('There is already a step %1.', name) : null;
}

/** A heading: anything that leaves a name. */
export function checkHeading(text: string, trans: IText): string | null {
  return /[\p{L}\p{N}]/u.test(text) ? null : trans.__('A heading needs a word.');
}

/** Python names separated by commas. */
export function checkNames(text: string, trans: IText): string | null {
  const names = text.split(/[,\s]+/).filter(Boolean);
  return names.every(name => /^[\p{L}_][\p{L}\p{N}_]*$/u.test(name))
    ? null
    : trans.__('Names of variables, separated by commas.');
}

/** A container image: no blanks. */
export function checkImage(text: string, trans: IText): string | null {
  return /\s/.test(text.trim())
    ? trans.__('An image is one word, such as registry/name:tag.')
    : null;
}
