/**
 * Changes to a step, written the way the notebook already speaks: on its `%%step` line, or as tags.
 *
 * Each function gives the edits and changes nothing; an empty list means there is nothing to change.
 */
import type { IPipeline, IStep } from '../../model/types';
import type { ICellEdit, ICellText } from './cells';
import { replaceTags, replaceText } from './cells';
import type { IMagicLine } from './magic';
import { findMagic, magicName, magicOption, setMagicName, setMagicOption } from './magic';

/** The notebook and one of its steps. */
export interface IStepPlace {
  readonly cells: readonly ICellText[];
  readonly pipeline: IPipeline;
  readonly step: IStep;
}

export type Setting =
  | 'cpu'
  | 'memory'
  | 'gpu'
  | 'image'
  | 'retry'
  | 'timeout'
  | 'cache'
  | 'when'
  | 'foreach'
  | 'collect';

interface ISpelling {
  readonly flag: string;
  /** Beginning of the tag that is written. */
  readonly tag: string;
  /** Which tags say the same, if more than the one that is written. */
  readonly matches?: RegExp;
}

const SPELLINGS: Record<Setting, ISpelling> = {
  cpu: { flag: '--cpu', tag: 'limit:cpu:' },
  memory: { flag: '--memory', tag: 'limit:memory:' },
  gpu: { flag: '--gpu', tag: 'limit:nvidia.com/gpu:', matches: /^limit:(?:[^:]+\/)?gpu:/ },
  image: { flag: '--image', tag: 'image:' },
  retry: { flag: '--retry', tag: 'retry:' },
  timeout: { flag: '--timeout', tag: 'timeout:' },
  cache: { flag: '--cache', tag: 'cache:' },
  when: { flag: '--if', tag: 'if:' },
  foreach: { flag: '--for', tag: 'for:' },
  collect: { flag: '--collect', tag: 'collect:' }
};

const STEP_TAG = /^(step|block):/;
const HEADING = /^[ \t]{0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$/m;

/** Set one of a step's options, or take it away with null. */
export function setSetting(place: IStepPlace, setting: Setting, value: string | null): ICellEdit[] {
  const home = stepHome(place);
  if (!home) {
    return [];
  }
  const { flag, tag, matches } = SPELLINGS[setting];
  const isOld = (item: string): boolean => (matches ? matches.test(item) : item.startsWith(tag));
  const own = stepCells(place);
  const magic = findMagic(home.source);
  if (magic) {
    // The line wins over a tag that says the same, so the tag would only come back later.
    const tags = own.flatMap(cell =>
      replaceTags(
        cell,
        cell.tags.filter(item => !isOld(item))
      )
    );
    return [...editMagic(home, magic, setMagicOption(magic.text, flag, value)), ...tags];
  }
  // A GPU of another make keeps its name.
  const old = own.flatMap(cell => cell.tags).find(isOld);
  const prefix = matches && old ? old.slice(0, old.lastIndexOf(':') + 1) : tag;
  return own.flatMap(cell => {
    const kept = cell.tags.filter(item => !isOld(item));
    if (cell !== home || value === null) {
      return replaceTags(cell, kept);
    }
    const at = cell.tags.findIndex(isOld);
    kept.splice(at < 0 ? kept.length : at, 0, prefix + value);
    return replaceTags(cell, kept);
  });
}

/** CPU, memory or GPUs that the step asks for. */
export function setResource(
  place: IStepPlace,
  resource: 'cpu' | 'memory' | 'gpu',
  amount: string | null
): ICellEdit[] {
  return setSetting(place, resource, amount);
}

/** Whether the step may be taken from the cache; null leaves it to the run. */
export function setCache(place: IStepPlace, cache: boolean | null): ICellEdit[] {
  const home = stepHome(place);
  const words = home && findMagic(home.source) ? ['on', 'off'] : ['enabled', 'disabled'];
  return setSetting(place, 'cache', cache === null ? null : (words[cache ? 0 : 1] ?? null));
}

/** How often a failed step is tried again; 0 takes the option away. */
export function setRetry(place: IStepPlace, retry: number): ICellEdit[] {
  return setSetting(place, 'retry', retry > 0 ? String(retry) : null);
}

/** Time limit in seconds, or null for none. */
export function setTimeLimit(place: IStepPlace, seconds: number | null): ICellEdit[] {
  return setSetting(place, 'timeout', seconds === null ? null : String(seconds));
}

/** The expression that decides whether the step runs, or null. */
export function setCondition(place: IStepPlace, expression: string | null): ICellEdit[] {
  return setSetting(place, 'when', expression);
}

/** `VAR in EXPR`: the step runs once per value; null for once. */
export function setForeach(place: IStepPlace, loop: string | null): ICellEdit[] {
  return setSetting(place, 'foreach', loop);
}

/** The steps that come before; an empty list declares nothing. */
export function setAfter(place: IStepPlace, after: readonly string[]): ICellEdit[] {
  const home = stepHome(place);
  if (!home) {
    return [];
  }
  const magic = findMagic(home.source);
  if (magic) {
    const value = after.length ? after.join(',') : null;
    return editMagic(home, magic, setMagicOption(magic.text, '--after', value));
  }
  return stepCells(place).flatMap(cell => {
    const kept = cell.tags.filter(tag => !tag.startsWith('prev:'));
    const at = cell.tags.findIndex(tag => tag.startsWith('prev:'));
    if (cell === home) {
      kept.splice(at < 0 ? kept.length : at, 0, ...after.map(name => `prev:${name}`));
    }
    return replaceTags(cell, kept);
  });
}

/** Another name, also where other steps name this one; in a notebook of headings, another heading. */
export function setStepName(place: IStepPlace, name: string): ICellEdit[] {
  const old = place.step.name;
  if (place.pipeline.grammar === 'headings') {
    const heading = stepHeading(place);
    return heading ? renameHeading(heading, place.step, name) : [];
  }
  if (place.pipeline.grammar === 'cells') {
    return nameAll(place, name);
  }
  return place.cells.flatMap(cell => {
    const magic = cell.type === 'code' ? findMagic(cell.source) : null;
    if (magic) {
      return editMagic(cell, magic, renameInMagic(magic.text, old, name));
    }
    const tags = cell.tags.map(tag => {
      const [, kind, rest] = /^(step:|block:|prev:)(.*)$/.exec(tag) ?? [];
      return kind && rest?.trim() === old ? kind + name : tag;
    });
    return replaceTags(cell, tags);
  });
}

/** The cell on which a step's options stand: the one that declares it, else its first code cell. */
export function stepHome(place: IStepPlace): ICellText | null {
  const own = stepCells(place).filter(cell => cell.type === 'code');
  return (
    own.find(cell => findMagic(cell.source)) ??
    own.find(cell => cell.tags.some(tag => STEP_TAG.test(tag))) ??
    own[0] ??
    null
  );
}

/** The markdown cell whose heading starts the step, in a notebook of headings. */
export function stepHeading(place: IStepPlace): ICellText | null {
  const home = stepHome(place);
  const end = home ? place.cells.indexOf(home) : -1;
  for (let index = end - 1; index >= 0; index -= 1) {
    const cell = place.cells[index];
    if (cell?.type === 'markdown' && HEADING.test(cell.source)) {
      return cell;
    }
  }
  return null;
}

/** Add a tag to a cell. */
export function addTag(cell: ICellText, tag: string): ICellEdit[] {
  return cell.tags.includes(tag) ? [] : replaceTags(cell, [...cell.tags, tag]);
}

/** Take a tag from a cell. */
export function removeTag(cell: ICellText, tag: string): ICellEdit[] {
  return replaceTags(
    cell,
    cell.tags.filter(item => item !== tag)
  );
}

/** Put one tag in the place of another. */
export function replaceTag(cell: ICellText, tag: string, other: string): ICellEdit[] {
  return replaceTags(
    cell,
    cell.tags.map(item => (item === tag ? other : item))
  );
}

function stepCells(place: IStepPlace): ICellText[] {
  const ids = new Set(place.step.cells.map(cell => cell.id));
  return place.cells.filter(cell => ids.has(cell.id));
}

function editMagic(cell: ICellText, magic: IMagicLine, line: string): ICellEdit[] {
  return replaceText(cell, magic.start, magic.text, line);
}

function renameInMagic(line: string, old: string, name: string): string {
  const renamed = magicName(line) === old ? setMagicName(line, name) : line;
  const after = magicOption(renamed, '--after');
  if (!after) {
    return renamed;
  }
  const names = after.split(',').map(item => item.trim());
  return names.includes(old)
    ? setMagicOption(renamed, '--after', names.map(item => (item === old ? name : item)).join(','))
    : renamed;
}

/** Where every cell is a step, one that is given a name must not swallow those below it. */
function nameAll(place: IStepPlace, name: string): ICellEdit[] {
  return place.pipeline.steps
    .filter(step => step.kind !== 'setup')
    .flatMap(step => {
      const home = stepHome({ ...place, step });
      return home ? addTag(home, `step:${step.name === place.step.name ? name : step.name}`) : [];
    });
}

function renameHeading(cell: ICellText, step: IStep, title: string): ICellEdit[] {
  const known = step.title ? cell.source.lastIndexOf(step.title) : -1;
  if (step.title && known >= 0) {
    return replaceText(cell, known, step.title, title);
  }
  const match = HEADING.exec(cell.source);
  const old = match?.[2] ?? '';
  if (!match) {
    return [];
  }
  const start =
    match.index + match[0].indexOf(old, match[0].indexOf('#') + (match[1]?.length ?? 0));
  return replaceText(cell, start, old, title);
}
