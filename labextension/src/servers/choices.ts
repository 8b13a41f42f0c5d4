/** The choices of a stopped server as a form: what the Hub's own page asks, in its order. */
import type { IText } from '../model/text';
import type { FormValues } from '../model/typed';
import type { IField } from '../ui/form';
import type { Choices, ICard, IFormState } from './model/types';

/** Names of the questions; everything else of the options is kept as it was. */
const ASKED = ['image', 'image_other', 'size', 'cpu', 'memory', 'accelerator', 'count'] as const;

/** What the form starts from: the server's own choices, else what the Hub would choose. */
export function startValues(options: Choices, state: IFormState): FormValues {
  const values: Record<string, string> = {};
  for (const name of ASKED) {
    const value = options[name];
    if (typeof value === 'string' || typeof value === 'number') {
      values[name] = String(value);
    }
  }
  for (const name of ['image', 'size', 'accelerator'] as const) {
    const cards = state[name] ?? [];
    if (cards.length && !cards.some(card => card.key === values[name])) {
      values[name] = (cards.find(card => card.checked) ?? cards[0]).key;
    }
  }
  return values;
}

/** A change, and what it makes of the others: another accelerator is asked for in its least number. */
export function withValue(values: FormValues, name: string, value: string | boolean): FormValues {
  const next = { ...values, [name]: value };
  return name === 'accelerator' ? { ...next, count: '' } : next;
}

/** The options with what was chosen: only questions that make sense together are answered. */
export function chosen(options: Choices, values: FormValues, state: IFormState): Choices {
  const found: Record<string, Choices[string]> = { ...options };
  ASKED.forEach(name => delete found[name]);
  const put = (name: string) => {
    const value = String(values[name] ?? '').trim();
    if (value) {
      found[name] = value;
    }
  };
  ['image', 'size', 'accelerator'].filter(name => cardsOf(state, name).length).forEach(put);
  if (values.image === 'other') {
    put('image_other');
  }
  if (values.size === 'other') {
    ['cpu', 'memory'].forEach(put);
  }
  if (values.accelerator && values.accelerator !== 'none') {
    put('count');
  }
  return found;
}

/** The questions, as far as there is anything to choose. */
export function fieldsOf(state: IFormState, values: FormValues, trans: IText): IField[] {
  const fields: IField[] = [];
  const choice = (name: string, label: string) => {
    const cards = cardsOf(state, name);
    if (cards.length > 1) {
      const now = cards.find(card => card.key === values[name]);
      const help = now?.reason || [now?.description, now?.text].filter(Boolean).join(' · ');
      fields.push({
        name,
        label,
        kind: 'choice',
        help: help || undefined,
        choices: cards.map(card => [card.key, optionWords(card, trans)])
      });
    }
  };
  choice('image', trans.__('Image'));
  if (values.image === 'other') {
    fields.push({ name: 'image_other', label: trans.__('Which image'), kind: 'text' });
  }
  choice('size', trans.__('Size'));
  if (values.size === 'other') {
    fields.push(
      { name: 'cpu', label: trans.__('CPU'), kind: 'text', unit: trans.__('cores'), half: true },
      { name: 'memory', label: trans.__('Memory'), kind: 'text', placeholder: '4Gi', half: true }
    );
  }
  choice('accelerator', trans.__('Accelerator'));
  if ((state.count?.length ?? 0) > 1) {
    choice('count', trans.__('How many'));
  }
  return fields;
}

function cardsOf(state: IFormState, name: string): readonly ICard[] {
  return ((state as Record<string, unknown>)[name] as readonly ICard[] | undefined) ?? [];
}

function optionWords(card: ICard, trans: IText): string {
  const title = card.title || card.key;
  return card.disabled ? trans.__('%1 (not now)', title) : title;
}

/** What is wrong, by field, and what becomes of these choices. */
export function judged(
  state: IFormState,
  fields: readonly IField[]
): { problems: Record<string, string>; fits: string | null; refused: string | null } {
  const problem = state.problem ?? null;
  const at = problem && fields.some(field => field.name === problem.field) ? problem.field : null;
  const verdict = [state.summary?.verdict, state.summary?.price].filter(Boolean).join(' ');
  const refused =
    problem?.text ?? (state.summary?.disabled ? verdict : null) ?? state.empty?.note ?? null;
  return {
    problems: problem && at ? { [at]: problem.text } : {},
    fits: problem ? null : verdict || null,
    refused
  };
}
