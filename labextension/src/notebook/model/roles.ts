/** What a cell is for, beside being part of a step: Kale's words for it, as tags. */
import type { IPipeline } from '../../model/types';
import type { ICellEdit, ICellText } from './cells';
import { replaceTags } from './cells';
import { addTag } from './edits';
import { findMagic } from './magic';

export type Role = 'step' | 'imports' | 'functions' | 'parameters' | 'metrics' | 'skip';

const TAGS: Record<Exclude<Role, 'step'>, string> = {
  imports: 'imports',
  functions: 'functions',
  parameters: 'pipeline-parameters',
  metrics: 'pipeline-metrics',
  skip: 'skip'
};

/** The roles that a cell can be given without turning the notebook into another grammar. */
export function rolesOf(pipeline: IPipeline): Role[] {
  return declares(pipeline)
    ? ['step', 'imports', 'functions', 'parameters', 'metrics', 'skip']
    : ['step', 'parameters', 'skip'];
}

/** The role that a cell's tags give it; skip counts before the others. */
export function roleOf(cell: ICellText): Role {
  const has = (role: Exclude<Role, 'step'>): boolean => cell.tags.includes(TAGS[role]);
  if (has('skip')) {
    return 'skip';
  }
  if (cell.tags.includes('parameters')) {
    return 'parameters';
  }
  return (['imports', 'functions', 'parameters', 'metrics'] as const).find(has) ?? 'step';
}

/** Give a cell a role; its other tags stay. */
export function setRole(cell: ICellText, role: Role, pipeline: IPipeline): ICellEdit[] {
  const known = [...Object.values(TAGS), 'parameters'];
  const kept = cell.tags.filter(tag => !known.includes(tag));
  if (role === 'step') {
    return replaceTags(cell, kept);
  }
  // In a notebook of headings Kale's own tag would make the headings mean nothing.
  const tag = role === 'parameters' && !declares(pipeline) ? 'parameters' : TAGS[role];
  return replaceTags(cell, [...kept, tag]);
}

/** Let a step start at a cell, said as the notebook says it. */
export function startStep(cell: ICellText, name: string, pipeline: IPipeline): ICellEdit[] {
  if (pipeline.grammar === 'magic' && !findMagic(cell.source)) {
    return [{ id: cell.id, text: { start: 0, from: '', to: `%%step ${name}\n` } }];
  }
  return addTag(cell, `step:${name}`);
}

/** Whether steps are told by tags or lines, so that a cell can start one. */
export function declares(pipeline: IPipeline): boolean {
  return pipeline.grammar === 'tags' || pipeline.grammar === 'magic';
}
