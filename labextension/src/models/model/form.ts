import { bytes } from '../../format';
import type { IDraft } from '../../model/draft';
import { draftProblems as problemsByField } from '../../model/draft';
import { pairs } from '../../model/pairs';
import type { IText } from '../../model/text';
import type { FormProblems, FormValues } from '../../model/typed';
import { said, text } from '../../model/typed';
import type { Json } from '../../model/types';

export type RegisterValues = FormValues;

/** A value that a step of a run left, or what a job made. */
export interface IFrom {
  kind: string;
  name: string;
  step?: string;
  value?: string;
}

export interface IRegisterDraft extends IDraft {
  format?: string | null;
  danger?: string | null;
  bytes?: number | null;
  version?: string | null;
}

export const REGISTER_DEFAULTS: RegisterValues = {
  path: '',
  name: '',
  version: '',
  alias: '',
  metrics: '',
  parameters: '',
  description: '',
  format: ''
};

/** Formats by the names that the registry has for them; what is empty is recognised. */
export const FORMATS: readonly string[] = [
  'sklearn',
  'xgboost',
  'lightgbm',
  'pytorch',
  'pytorch-weights',
  'keras',
  'tensorflow',
  'onnx',
  'huggingface',
  'python'
];

/** `models/iris.pkl` is proposed as `iris`. */
export function nameOf(path: string): string {
  const last = path.split('/').filter(Boolean).pop() ?? '';
  return last.replace(/(\.[A-Za-z0-9]{1,12}){1,2}$/, '') || last;
}

/** What is wrong with what was typed, by field; what only the server knows it says itself. */
export function registerProblems(values: RegisterValues, trans: IText): FormProblems {
  const problems: Record<string, string> = {};
  const metrics = pairs(text(values, 'metrics'));
  if (metrics.wrong !== null) {
    problems.metrics = trans.__('“%1” is not NAME = VALUE.', metrics.wrong);
  } else {
    const odd = Object.entries(metrics.values).find(([, value]) => typeof value !== 'number');
    if (odd) {
      problems.metrics = trans.__('%1 is %2, not a number.', odd[0], JSON.stringify(odd[1]));
    }
  }
  const { wrong } = pairs(text(values, 'parameters'));
  if (wrong !== null) {
    problems.parameters = trans.__('“%1” is not NAME = VALUE.', wrong);
  }
  const alias = text(values, 'alias');
  if (alias && !/^(?=.*[\p{L}\p{N}])[\p{L}\p{N}._-]+$/u.test(alias)) {
    problems.alias = trans.__('Letters, digits, - _ and . only.');
  }
  return problems;
}

/** Why it cannot be registered yet, though nothing is wrong; null when all is there. */
export function incomplete(
  values: RegisterValues,
  from: IFrom | null,
  trans: IText
): string | null {
  if (!from && !text(values, 'path')) {
    return trans.__('Name the file or folder first.');
  }
  return text(values, 'name') ? null : trans.__('Give the model a name.');
}

/** What is sent: nothing that was left empty. */
export function registerBody(values: RegisterValues, from: IFrom | null): { [key: string]: Json } {
  const named = ['name', 'version', 'alias', 'description', 'format'];
  return said({
    ...(from ? { from: { ...from } } : { path: text(values, 'path') }),
    ...Object.fromEntries(named.map(name => [name, text(values, name)])),
    metrics: pairs(text(values, 'metrics')).values,
    parameters: pairs(text(values, 'parameters')).values
  });
}

/** What will be registered, in one line. */
export function draftWords(draft: IRegisterDraft | null, trans: IText): string | null {
  if (!draft || (!draft.format && !draft.version)) {
    return null;
  }
  const parts = [
    draft.version && trans.__('version %1', draft.version),
    draft.format,
    typeof draft.bytes === 'number' && bytes(draft.bytes),
    draft.danger && trans.__('may run code when it is read')
  ];
  return parts.filter(Boolean).join(' · ');
}

/** Whatever is said of what is registered stands where it is named. */
export function draftProblems(draft: IRegisterDraft | null): FormProblems {
  return problemsByField(draft, 'path', { model: 'path', from: 'path', uri: 'path' });
}
