/** What a change will do, in words, before it is done. */
import { number } from '../../format';
import type { Split, SplitProblem } from './split';
import { asRecord, shifts } from './split';
import type { IText } from '../../model/text';
import type { IRevision } from './types';

export function problemText(problem: SplitProblem, trans: IText): string {
  switch (problem.kind) {
    case 'number':
      return trans.__('%1: a whole number from 0 to 100.', problem.name);
    case 'more':
      return trans.__('They add up to %1 %: take %2 away.', number(problem.sum), problem.by);
    case 'less':
      return trans.__('They add up to %1 %: add %2.', number(problem.sum), problem.by);
  }
}

/** *v2 takes 10 % instead of 0 %, v1 90 % instead of 100 %: about 1.2 of 12 requests a second move.* */
export function changeText(
  before: Split,
  after: Split,
  rate: number | null,
  trans: IText
): string | null {
  const found = shifts(before, after);
  if (!found.length) {
    return null;
  }
  const up = found.filter(({ from, to }) => to > from);
  const parts = [...up, ...found.filter(shift => !up.includes(shift))].map(({ name, from, to }) =>
    trans.__('%1 takes %2 % instead of %3 %', name, to, from)
  );
  const moving = up.reduce((sum, { from, to }) => sum + to - from, 0) / 100;
  const said =
    rate !== null && rate > 0
      ? trans.__(
          ': about %1 of %2 requests a second move',
          number(round(rate * moving)),
          number(round(rate))
        )
      : '';
  return `${parts.join(', ')}${said}.`;
}

function round(value: number): number {
  return Number(value.toPrecision(2));
}

export function stickyText(before: string, after: string, trans: IText): string | null {
  if (before === after) {
    return null;
  }
  if (!after) {
    return trans.__('Each request is sent by chance; nobody stays with one variant.');
  }
  const said = stickyWords(after, trans);
  return trans.__('Requests with the same %1 stay with one variant.', said);
}

export function stickyWords(sticky: string, trans: IText): string {
  const { where, name } = parseSticky(sticky);
  switch (where) {
    case 'header':
      return trans.__('header %1', name);
    case 'query':
      return trans.__('query parameter %1', name);
    case 'body':
      return trans.__('field %1', name);
    default:
      return sticky;
  }
}

export type StickyWhere = '' | 'header' | 'query' | 'body';

export function parseSticky(sticky: string): { where: StickyWhere; name: string } {
  const [, where, name] = /^(header|query|body):(.*)$/.exec(sticky) ?? [];
  return { where: (where ?? '') as StickyWhere, name: name ?? '' };
}

export const STICKY_NAMES: Record<StickyWhere, string> = {
  '': '',
  header: 'x-user',
  query: 'user',
  body: 'user.id'
};

/** Why this cannot be asked of the gateway; null if it can. */
export function stickyProblem(sticky: string, trans: IText): string | null {
  const { where, name } = parseSticky(sticky);
  const shapes: Record<StickyWhere, RegExp> = {
    '': /^/,
    header: /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/,
    query: /^[^&=#\s]{1,100}$/,
    body: /^[^\s.]+(\.[^\s.]+)*$/
  };
  return shapes[where].test(name)
    ? null
    : where === 'body'
      ? trans.__('The path of a field, such as user.id.')
      : trans.__('A name without spaces, such as %1.', STICKY_NAMES[where]);
}

/** What going back to a revision will change in the traffic. */
export function rollbackText(current: Split, revision: IRevision, trans: IText): string {
  const traffic = Object.entries(revision.traffic ?? {});
  const target = traffic.map(([name, percent]) => ({ name, percent }));
  const found = target.length ? shifts(current, target) : [];
  const now = asRecord(current);
  const parts = found.map(({ name, to }) =>
    to === 0 && !(name in (revision.traffic ?? {}))
      ? trans.__('%1 goes', name)
      : trans.__('%1 takes %2 % instead of %3 %', name, to, now[name] ?? 0)
  );
  return parts.length
    ? trans.__('Back to revision %1: %2.', revision.number, parts.join(', '))
    : trans.__(
        'Back to revision %1 (%2): its models and settings as they were then.',
        revision.number,
        revision.what
      );
}
