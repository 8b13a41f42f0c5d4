/** The best trial's parameters as text: in a cell of their own, or as a notebook's pipeline parameters. */
import type { ICellEdit, ICellText } from '../../notebook/model/cells';
import { replaceText } from '../../notebook/model/cells';
import { assignments, literal } from './python';
import type { Scalar } from './types';

type Parameters = Readonly<Record<string, Scalar>>;

/** Katib allows names that Python does not. */
function variable(name: string): string {
  const word = name.replace(/\W/g, '_');
  return /^\d/.test(word) ? `_${word}` : word;
}

/** A cell that binds the parameters by name, and says where they come from. */
export function parametersCell(parameters: Parameters, origin: string): string {
  const lines = Object.entries(parameters).map(
    ([name, value]) => `${variable(name)} = ${literal(value)}`
  );
  return [`# ${origin}`, ...lines].join('\n');
}

/** A dict of the parameters. */
export function parametersDict(parameters: Parameters): string {
  const pairs = Object.entries(parameters).map(
    ([name, value]) => `${literal(name)}: ${literal(value)}`
  );
  return `{${pairs.join(', ')}}`;
}

export const PARAMETER_TAGS: readonly string[] = ['pipeline-parameters', 'parameters'];

export interface IParameterPlan {
  readonly edits: readonly ICellEdit[];
  /** Source of a cell to be added at the top, if the notebook has none for parameters. */
  readonly cell: string | null;
  /** Names whose value changes. */
  readonly changed: readonly string[];
}

/** What makes these values the notebook's pipeline parameters; known ones in place, others added. */
export function planParameters(
  cells: readonly ICellText[],
  parameters: Parameters,
  origin: string
): IParameterPlan {
  const homes = cells.filter(
    cell => cell.type === 'code' && cell.tags.some(tag => PARAMETER_TAGS.includes(tag))
  );
  const rest = new Map(Object.entries(parameters).map(([name, value]) => [variable(name), value]));
  const changed: string[] = [];
  const edits = homes.flatMap(cell => {
    const found = assignments(cell.source).filter(each => rest.has(each.name));
    // From the end, so that places before stay as they are.
    return found.reverse().flatMap(({ name, start, end }) => {
      const value = literal(rest.get(name)!);
      const edit = replaceText(cell, start, cell.source.slice(start, end), value);
      if (edit.length) {
        changed.push(name);
      }
      return edit;
    });
  });
  const known = new Set(homes.flatMap(cell => assignments(cell.source).map(each => each.name)));
  const missing = [...rest].filter(([name]) => !known.has(name));
  if (!missing.length) {
    return { edits, cell: null, changed };
  }
  changed.push(...missing.map(([name]) => name));
  const home = homes[homes.length - 1];
  if (!home) {
    return { edits, cell: parametersCell(parameters, origin), changed };
  }
  const lines = missing.map(([name, value]) => `${name} = ${literal(value)}`).join('\n');
  const gap = home.source && !home.source.endsWith('\n') ? '\n' : '';
  // First in the list: what is added at the end moves nothing before it.
  const addition = { id: home.id, text: { start: home.source.length, from: '', to: gap + lines } };
  return { edits: [addition, ...edits], cell: null, changed };
}
