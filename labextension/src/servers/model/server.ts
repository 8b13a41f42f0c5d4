/** What is said of a server, and what can be done with it. */
import type { IText } from '../../model/text';
import type { RunState } from '../../model/types';
import type { Choices, ICard, IFormState, IServer } from './types';

/** What the Hub takes as a server's name. */
const NAME = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;

/** The shape and colour of a state; one that runs has none of these, since nothing of it goes on. */
export function shapeOf(server: IServer): RunState | null {
  switch (server.state) {
    case 'running':
      return null;
    case 'starting':
      return server.words ? 'PENDING' : 'RUNNING';
    case 'stopping':
      return 'CANCELING';
    default:
      return 'CANCELED';
  }
}

export function stateWords(server: IServer, trans: IText): string {
  switch (server.state) {
    case 'running':
      return trans.__('Running');
    case 'starting':
      return trans.__('Starting');
    case 'stopping':
      return trans.__('Stopping');
    default:
      return trans.__('Stopped');
  }
}

function titleOf(cards: readonly ICard[] | undefined, key: unknown): string {
  return cards?.find(card => card.key === key)?.title || (typeof key === 'string' ? key : '');
}

/** Size and accelerator in a few words, as far as they are known: *Medium · 2 × A100*. */
export function sizeWords(options: Choices, left: IFormState | null, trans: IText): string {
  const { size, cpu, memory, accelerator, count } = options;
  const own = size === 'other' && cpu && memory ? trans.__('%1 CPU, %2', cpu, memory) : null;
  const parts = [own ?? titleOf(left?.size, size)];
  if (typeof accelerator === 'string' && accelerator && accelerator !== 'none') {
    const title = titleOf(left?.accelerator, accelerator);
    parts.push(Number(count) > 1 ? `${String(count)} × ${title}` : title);
  }
  return parts.filter(Boolean).join(' · ');
}

/** The image, where it can be chosen. */
export function imageWords(options: Choices, left: IFormState | null): string {
  return options.image === 'other' && typeof options.image_other === 'string'
    ? options.image_other
    : titleOf(left?.image, options.image);
}

/** What it does, or since when it does nothing. */
export function activityWords(server: IServer): string {
  return server.state === 'running' ? (server.idle?.words ?? '') : '';
}

export type ServerAction = 'open' | 'start' | 'stop' | 'resize' | 'keep';

/** Why it cannot be done now; null if it can. */
export function whyNot(action: ServerAction, server: IServer, trans: IText): string | null {
  const { state, isCurrent } = server;
  switch (action) {
    case 'open':
      return state !== 'running'
        ? trans.__('It does not run.')
        : isCurrent
          ? trans.__('This page belongs to it.')
          : null;
    case 'start':
      return state === 'stopped' ? null : trans.__('It is not stopped.');
    case 'stop':
      return state === 'running' || state === 'starting' ? null : trans.__('It does not run.');
    case 'resize':
      return state === 'stopped' ? null : trans.__('Stop it first.');
    case 'keep':
      return state === 'running' && canKeep(server)
        ? null
        : trans.__('It is not about to be stopped.');
  }
}

/** A server that is stopped for its age cannot be kept: only one that is idle can. */
export function canKeep(server: IServer): boolean {
  const { idle } = server;
  return idle?.action === 'warn' && Boolean(idle.idleSince) && idle.keepable !== false;
}

/** What is asked before it is stopped; null where nothing is lost. */
export function stopQuestion(server: IServer, trans: IText): string | null {
  if (server.state !== 'running') {
    return null;
  }
  return server.isCurrent
    ? trans.__('Stop this server? This page ends with it, and so does what runs in it. Files stay.')
    : trans.__('Stop “%1”? What runs in it ends. Files stay.', server.title);
}

/** Those in use first, then by name; the one of this page before all. */
export function inOrder(servers: readonly IServer[]): IServer[] {
  const rank = (server: IServer) => (server.isCurrent ? 0 : server.state === 'stopped' ? 2 : 1);
  return [...servers].sort(
    (a, b) => rank(a) - rank(b) || a.title.localeCompare(b.title, undefined, { numeric: true })
  );
}

/** Whether a filter's words are in it. */
export function matches(server: IServer, query: string, words: string): boolean {
  const text = `${server.title} ${server.name} ${words}`.toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every(word => text.includes(word));
}

/** Why a server cannot be called so; null if it can. */
export function checkServerName(
  text: string,
  taken: readonly string[],
  trans: IText
): string | null {
  const name = text.trim();
  if (!name) {
    return trans.__('A server needs a name.');
  }
  if (!NAME.test(name)) {
    return trans.__('Small letters, digits and - in between; at most 40.');
  }
  return taken.includes(name) ? trans.__('There is already a server %1.', name) : null;
}

/** The page on which a new server is made; the default server's page is the stem of all. */
export function newForm(servers: readonly IServer[], name: string): string | null {
  const stem = servers.find(server => server.name === '')?.form;
  return stem ? `${stem}/${encodeURIComponent(name)}` : null;
}

/** The sentence of the warning in the notebook: when, and why. Toasts hold little. */
export function warningWords(server: IServer, trans: IText): string {
  const { words, stopsAt } = server.idle ?? { words: '', stopsAt: null };
  if (!stopsAt) {
    return words;
  }
  const at = new Date(stopsAt).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  return trans.__('This server is about to be stopped, at %1. %2', at, words);
}

/** The same start as code. */
export function startCode(name: string, options: Choices): string {
  const items = Object.entries(options).map(
    ([key, value]) => `${JSON.stringify(key)}: ${python(value)}`
  );
  return `from jupyter_ext import servers\n\nservers.start(${JSON.stringify(name)}, {${items.join(', ')}})`;
}

function python(value: unknown): string {
  const words: Record<string, string> = { true: 'True', false: 'False', null: 'None' };
  const text = JSON.stringify(value);
  return words[text] ?? text;
}
