/** What the server would make of a form that was not sent yet, and where what it refuses belongs. */
import { KubeflowError } from './errors';

export interface IDraftProblem {
  field?: string | null;
  message: string;
  /** The message without its place, where the server tells it apart: a field shows only this. */
  what?: string | null;
  hint?: string | null;
}

/** What a create that was asked with `dryRun` answers, of every kind. */
export interface IDraft {
  problems?: readonly IDraftProblem[];
  /** The same as Python. */
  python?: string;
}

/** A refused draft is an answer too; nothing is said of what is no fault of the form's. */
export function refusal(error: unknown, fallback = ''): IDraft {
  const { message, hint, where, status } = KubeflowError.from(error);
  const field = where.field ?? fallback;
  return status >= 400 && status < 500 && field ? { problems: [{ field, message, hint }] } : {};
}

/** By the field of the form they are about: `resources.cpu: …` is `cpu`'s; what names none is `fallback`'s. */
export function draftProblems(
  draft: IDraft | null,
  fallback = '',
  aliases: Readonly<Record<string, string>> = {}
): Record<string, string> {
  const found = (draft?.problems ?? []).map(({ field, what, hint, ...problem }) => {
    const message = what ? what.replace(/[^.!?…]$/, '$&.') : problem.message;
    const [name] = (field ?? fallback).replace(/^resources\.(\w+).*$/, '$1').split(/[.[]/);
    return [
      aliases[name] ?? name,
      hint && !message.includes(hint) ? `${message} ${hint}` : message
    ];
  });
  return Object.fromEntries(found) as Record<string, string>;
}
