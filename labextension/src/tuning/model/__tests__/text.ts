import type { IText } from '../../../model/text';

/** English, with numbers put in. */
export const ENGLISH: IText = {
  __: (text: string, ...values: unknown[]) => filled(text, values),
  _n: (one: string, many: string, count: number, ...values: unknown[]) =>
    filled(count === 1 ? one : many, [count, ...values])
} as IText;

function filled(text: string, values: readonly unknown[]): string {
  return text.replace(/%(\d)/g, (_, index) => String(values[Number(index) - 1]));
}
