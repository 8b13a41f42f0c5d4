/** Numbers from 0 to below 1, the same ones each time for a seed: a failure can be repeated. */
export function random(seed: number): () => number {
  let state = (seed * 2654435761) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export const ROUNDS = 2000;

function format(text: string, ...values: unknown[]): string {
  return text.replace(/%(\d)/g, (_, at: string) => String(values[Number(at) - 1]));
}

export const TEXT = {
  __: (text: string, ...values: unknown[]) => format(text, ...values),
  _n: (one: string, many: string, count: number, ...values: unknown[]) =>
    format(count === 1 ? one : many, ...(values.length ? values : [count]))
};
