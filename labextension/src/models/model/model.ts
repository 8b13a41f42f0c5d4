import type { TranslationBundle } from '@jupyterlab/translation';

import { number } from '../../format';
import type { Json } from '../../model/types';
import type { IModel, IVersion } from './types';

type Trans = Pick<TranslationBundle, '__' | '_n'>;

/** The alias that `promote` sets, and that is shown first. */
export const CHAMPION = 'champion';

export function isArchived(item: { state?: string }): boolean {
  return item.state === 'ARCHIVED';
}

/** The champion first, then by name. */
export function sortedAliases(aliases: readonly string[]): string[] {
  const rank = (alias: string) => (alias === CHAMPION ? 0 : 1);
  return [...aliases].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** The version that a person means by the model: what `champion` means, else the newest. */
export function mainVersion(model: IModel): IVersion | null {
  return model.status.champion ?? model.status.latest ?? null;
}

/** One line under a model's name: how many versions, what serves, and its best number. */
export function modelNote(model: IModel, trans: Trans): string {
  const { versions = 0, aliases = {}, endpoints = [], matches = [] } = model.status;
  if (model.spec.state === 'ARCHIVED') {
    return trans.__('Archived');
  }
  const main = mainVersion(model);
  const parts = [trans._n('%1 version', '%1 versions', versions)];
  if (matches.length) {
    parts.push(trans.__('met: %1', matches.slice(0, 3).join(', ')));
  } else if (aliases[CHAMPION]) {
    parts.push(trans.__('champion %1', aliases[CHAMPION]));
  }
  const [metric] = Object.entries(main?.metrics ?? {});
  if (metric) {
    parts.push(`${metric[0]} ${number(metric[1])}`);
  }
  if (endpoints.length) {
    parts.push(trans._n('%1 endpoint', '%1 endpoints', endpoints.length));
  }
  return parts.join(' · ');
}

/** What the filter of loaded items looks through, where the registry's own search is not asked. */
export function modelWords(model: IModel): string {
  const { aliases, latest } = model.status;
  const { description, owner } = model.spec;
  return [description, owner, ...Object.keys(aliases ?? {}), latest?.format].join(' ');
}

/** Where a version comes from: a thing that can be opened, or only its name. */
export interface IOrigin {
  title: string;
  kind?: string;
  name?: string;
  place?: { [key: string]: string };
}

export function originOf(version: IVersion): IOrigin | null {
  const { kind, run, step, notebook, execution } = version.lineage ?? {};
  const copied = version.lineage?.['copied-from'];
  if (run) {
    return {
      title: step && kind === 'Run' ? `${run} · ${step}` : run,
      kind: kind ?? 'Run',
      name: run,
      ...(step && (!kind || kind === 'Run') && { place: { step } })
    };
  }
  if (copied) {
    const at = copied.lastIndexOf(':');
    return {
      title: copied,
      kind: 'RegisteredModel',
      name: copied.slice(0, at),
      place: { version: copied.slice(at + 1) }
    };
  }
  if (notebook) {
    return { title: execution ? `${notebook} [${execution}]` : notebook };
  }
  return null;
}

/** `iris:3`, as every call of the library takes it. */
export function reference(version: Pick<IVersion, 'model' | 'version'>): string {
  return `${version.model}:${version.version}`;
}

/** `iris:3` taken apart at its last colon: names may have colons, versions rarely. */
export function splitReference(text: string): { model: string; version: string } {
  const at = text.lastIndexOf(':');
  return at < 0
    ? { model: text, version: '' }
    : { model: text.slice(0, at), version: text.slice(at + 1) };
}

export type SortKey = string | number | null | undefined;

/** What a column of the versions sorts by. */
export function versionKey(version: IVersion, column: string): SortKey {
  if (column.startsWith('metric:')) {
    return version.metrics?.[column.slice('metric:'.length)];
  }
  switch (column) {
    case 'version':
      return /^\d{1,15}$/.test(version.version) ? Number(version.version) : version.version;
    case 'state':
      return version.state;
    case 'format':
      return version.format;
    case 'bytes':
      return version.bytes;
    case 'from':
      return originOf(version)?.title;
    default:
      return version.created;
  }
}

/** Sorts numbers before texts, and what lacks the value last, either way. */
export function sortVersions(
  versions: readonly IVersion[],
  column: string,
  descending: boolean
): IVersion[] {
  const sign = descending ? -1 : 1;
  const rank = (key: SortKey) =>
    key === null || key === undefined || key === '' ? 2 : typeof key === 'number' ? 0 : 1;
  return [...versions].sort((left, right) => {
    const [a, b] = [versionKey(left, column), versionKey(right, column)];
    const [x, y] = [rank(a), rank(b)];
    if (x !== y) {
      return x === 2 || y === 2 ? x - y : sign * (x - y);
    }
    return x === 2 || a === b ? 0 : a! < b! ? -sign : sign;
  });
}

/** Of a signature: `-1` is any number of rows. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.map(size => (size < 0 ? '∗' : size)).join(', ')}]`;
}

/** Cells of a table from what was recorded of an example; null where it is no table. */
export function exampleTable(data: Json, columns?: readonly string[]): Json[][] | null {
  if (!Array.isArray(data) || !data.length) {
    return null;
  }
  if (data.every(row => Array.isArray(row) && row.every(cell => !Array.isArray(cell)))) {
    return data as Json[][];
  }
  return columns?.length === 1 || data.every(cell => typeof cell !== 'object')
    ? data.map(cell => [cell])
    : null;
}

/** The Python that gets hold of a model or of one of its versions. */
export function modelCode(name: string, version?: string | null): string {
  const text = version ? `${name}:${version}` : name;
  const word = version ? 'version' : 'model';
  return `import jupyter_ext as kf\n\n${word} = kf.registry.get(${JSON.stringify(text)})\n${word}`;
}

export function compareCode(references: readonly string[]): string {
  const given = references.map(each => JSON.stringify(each)).join(', ');
  return `import jupyter_ext as kf\n\nkf.registry.compare(${given})`;
}

/** The sentence under the field while an alias is typed, or what is wrong with it. */
export function aliasWords(
  alias: string,
  version: string,
  aliases: Readonly<Record<string, string>>,
  trans: Trans
): { problem: string | null; says: string } {
  const wrong = alias.length > 0 && !/^[\p{L}\p{N}._-]+$/u.test(alias);
  if (wrong || (alias && !/[\p{L}\p{N}]/u.test(alias))) {
    return { problem: trans.__('Letters, digits, - _ and . only.'), says: '' };
  }
  const before = aliases[alias];
  if (before === version) {
    return { problem: null, says: trans.__('It means this version already.') };
  }
  return {
    problem: null,
    says: before ? trans.__('It moves here from version %1.', before) : ''
  };
}
