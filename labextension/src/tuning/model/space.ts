/** The space of a form: one row per parameter as typed, checked, and as Python and Katib write it. */
import type { IArgument } from './python';
import { items, literal, scalar, split } from './python';
import type { IText } from '../../model/text';
import type { IParameterSpec, ParameterType, Scalar } from './types';

/** What stands in the fields of one row. */
export interface IRow {
  readonly name: string;
  /** Whether it is tuned; otherwise the function's own value stays. */
  readonly on: boolean;
  readonly type: ParameterType;
  readonly min: string;
  readonly max: string;
  readonly step: string;
  readonly log: boolean;
  /** Values of a discrete or categorical parameter, separated by commas. */
  readonly list: string;
  /** Source of the function's default, or empty. */
  readonly standard: string;
}

export type RowField = 'name' | 'min' | 'max' | 'step' | 'list';

/** The sentence under each field that is wrong. */
export type RowProblems = Partial<Record<RowField, string>>;

export const EMPTY_ROW: IRow = {
  name: '',
  on: true,
  type: 'double',
  min: '',
  max: '',
  step: '',
  log: false,
  list: '',
  standard: ''
};

/** A first guess of what to try, from the argument's type and default: the library guesses the same. */
export function rowOf(argument: IArgument): IRow {
  const { name, annotation, standard } = argument;
  const row: IRow = { ...EMPTY_ROW, name, standard: standard ?? '' };
  const said = spaceCall(standard ?? '') ?? spaceCall(annotation ?? '');
  if (said) {
    return { ...row, ...said };
  }
  const value = standard === null ? undefined : scalar(standard);
  const type = (annotation ?? '').replace(/^["']|["']$/g, '');
  if (/^(typing\.|t\.)?Literal\[/.test(type)) {
    return { ...row, type: 'categorical', list: items(type).map(bare).join(', ') };
  }
  if (type === 'bool' || typeof value === 'boolean') {
    return { ...row, type: 'categorical', list: 'True, False' };
  }
  const written = /[.e]/i.test(standard ?? '');
  if (type === 'int' || (type !== 'float' && Number.isInteger(value) && !written)) {
    return { ...row, type: 'int', ...integers(typeof value === 'number' ? value : null) };
  }
  if (type === 'float' || typeof value === 'number') {
    return { ...row, type: 'double', ...doubles(typeof value === 'number' ? value : null) };
  }
  if (type === 'str' || typeof value === 'string') {
    return { ...row, on: false, type: 'categorical', list: standard ? bare(standard) : '' };
  }
  return { ...row, on: standard === null };
}

const CALL = /(?:^|[\s,."'])(double|int_?|categorical|discrete)\(([^()]*)\)["']?\]?$/;

/** `double(1e-4, 1e-1, log=True)` as a default, or inside `Annotated[…]`. */
function spaceCall(text: string): Partial<IRow> | null {
  const match = CALL.exec(text.trim());
  if (!match) {
    return null;
  }
  const type = match[1].replace('_', '') as ParameterType;
  const given = split(match[2], ',').map(each => each.trim());
  if (!isRange(type)) {
    return { type, list: given.map(bare).join(', ') };
  }
  const named = (name: string) =>
    given.find(each => each.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
  return {
    type,
    min: given[0] ?? '',
    max: given[1] ?? '',
    step: named('step'),
    log: given.includes('log') || named('log') === 'True'
  };
}

function integers(value: number | null): Partial<IRow> {
  if (value === null || value <= 0) {
    return { min: '1', max: '10' };
  }
  return { min: String(Math.max(1, Math.floor(value / 4))), max: String(value * 4) };
}

function doubles(value: number | null): Partial<IRow> {
  if (value === null || value <= 0 || (value >= 0.1 && value < 1)) {
    return { min: '0.0', max: '1.0' };
  }
  return { min: plain(value / 10), max: plain(value * 10), log: true };
}

function plain(value: number): string {
  const text = String(Number(value.toPrecision(6))).replace('e+', 'e');
  return /[.e]/.test(text) ? text : `${text}.0`;
}

function bare(source: string): string {
  const value = scalar(source);
  return typeof value === 'string' && !/[,\s"']/.test(value) && scalar(value) === undefined
    ? value
    : source;
}

/** What is wrong with a row, field by field; nothing for a row that is not tuned. */
export function rowProblems(row: IRow, others: readonly IRow[], trans: IText): RowProblems {
  if (!row.on) {
    return {};
  }
  const problems: RowProblems = {};
  if (!/^[A-Za-z_]\w*$/.test(row.name.trim())) {
    problems.name = trans.__('A Python name, such as learning_rate.');
  } else if (others.some(other => other !== row && other.on && other.name === row.name)) {
    problems.name = trans.__('There is a “%1” already.', row.name);
  }
  return {
    ...problems,
    ...(isRange(row.type) ? rangeProblems(row, trans) : listProblems(row, trans))
  };
}

export function isRange(type: ParameterType): boolean {
  return type === 'double' || type === 'int';
}

function rangeProblems(row: IRow, trans: IText): RowProblems {
  const problems: RowProblems = {};
  const whole = row.type === 'int';
  const wanted = whole ? trans.__('A whole number.') : trans.__('A number, such as 0.1 or 1e-4.');
  const read = (text: string) => {
    const value = scalar(text);
    return typeof value === 'number' && (!whole || Number.isInteger(value)) ? value : null;
  };
  const [low, high] = [read(row.min), read(row.max)];
  if (low === null) {
    problems.min = wanted;
  } else if (row.log && low <= 0) {
    problems.min = trans.__('On a log scale it must be above 0.');
  }
  if (high === null) {
    problems.max = wanted;
  } else if (low !== null && high <= low) {
    problems.max = trans.__('It must be above the minimum, %1.', row.min.trim());
  }
  if (row.step.trim()) {
    const step = read(row.step);
    if (step === null || step <= 0) {
      problems.step = whole ? trans.__('A whole number above 0.') : trans.__('A number above 0.');
    } else if (low !== null && high !== null && step > high - low) {
      problems.step = trans.__('It is larger than the range.');
    } else if (row.log) {
      problems.step = trans.__('A log scale has no step.');
    }
  }
  return problems;
}

function listProblems(row: IRow, trans: IText): RowProblems {
  const values = listed(row);
  if (row.type === 'discrete' && values.some(value => typeof value !== 'number')) {
    return { list: trans.__('Numbers, separated by commas.') };
  }
  if (values.length < 2) {
    return { list: trans.__('At least two values, separated by commas.') };
  }
  return new Set(values.map(String)).size < values.length
    ? { list: trans.__('A value stands there twice.') }
    : {};
}

/** The values of a list as typed: words without quotes are strings. */
export function listed(row: Pick<IRow, 'list'>): Scalar[] {
  return split(row.list, ',')
    .map(item => item.trim())
    .filter(Boolean)
    .map(item => {
      const value = scalar(item);
      return value === undefined ? item : value;
    });
}

/** `double(1e-4, 0.1, log=True)`: as the Python call takes it. */
export function rowCode(row: IRow): string {
  if (!isRange(row.type)) {
    return `${row.type}(${listed(row).map(literal).join(', ')})`;
  }
  const call = row.type === 'int' ? 'int_' : 'double';
  const parts = [row.min.trim(), row.max.trim()];
  if (row.step.trim()) {
    parts.push(`step=${row.step.trim()}`);
  }
  if (row.log) {
    parts.push('log=True');
  }
  return `${call}(${parts.join(', ')})`;
}

/** `double(1e-4,0.1,log)`: as the server and the command line take it. */
export function rowText(row: IRow): string {
  if (!isRange(row.type)) {
    return `${row.type}(${listed(row).map(spelled).join(',')})`;
  }
  const parts = [row.min.trim(), row.max.trim()];
  if (row.step.trim()) {
    parts.push(`step=${row.step.trim()}`);
  }
  if (row.log) {
    parts.push('log');
  }
  return `${row.type}(${parts.join(',')})`;
}

/** Words as they are; what would be read as something else in quotes. */
function spelled(value: Scalar): string {
  if (typeof value !== 'string') {
    return literal(value);
  }
  return /^[\w.+-]+$/.test(value) && scalar(value) === undefined ? value : JSON.stringify(value);
}

/** What a parameter of an experiment was tried over: `0.0001 to 0.1, log`. */
export function spaceText(parameter: IParameterSpec, trans: IText): string {
  const { feasibleSpace: space } = parameter;
  if (space.list?.length) {
    return space.list.join(', ');
  }
  const words = [trans.__('%1 to %2', space.min ?? '?', space.max ?? '?')];
  if (space.distribution && space.distribution !== 'uniform') {
    words.push(space.distribution === 'logUniform' ? trans.__('log') : space.distribution);
  }
  if (space.step) {
    words.push(trans.__('step %1', space.step));
  }
  return words.join(', ');
}

/** How many combinations a grid has; null if a parameter has no end of values. */
export function combinations(rows: readonly IRow[]): number | null {
  let count = 1;
  for (const row of rows.filter(each => each.on)) {
    if (!isRange(row.type)) {
      count *= Math.max(1, listed(row).length);
      continue;
    }
    const step = row.step.trim() ? Number(row.step) : row.type === 'int' ? 1 : NaN;
    const size = Math.floor((Number(row.max) - Number(row.min)) / step + 1e-9) + 1;
    if (!Number.isFinite(size)) {
      return null;
    }
    count *= Math.max(1, size);
  }
  return count;
}
