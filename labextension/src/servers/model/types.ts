import type { Json } from '../../model/types';

export type ServerState = 'running' | 'starting' | 'stopping' | 'stopped';

/** What becomes of a server that nobody uses. */
export interface IIdle {
  action: 'keep' | 'warn' | 'stop';
  words: string;
  stopsAt?: string | null;
  idleSince?: string | null;
  /** False where saying that it is needed changes nothing. */
  keepable?: boolean;
}

export type Choices = Readonly<Record<string, Json>>;

/** One server of the user, as the Hub tells of it. */
export interface IServer {
  name: string;
  title: string;
  state: ServerState;
  /** Why it waits, or why it did not start. */
  words: string;
  isCurrent: boolean;
  url: string;
  /** The Hub's page with every choice. */
  form: string;
  started?: string | null;
  lastActivity?: string | null;
  options: Choices;
  idle: IIdle | null;
}

/** One thing that can be chosen in the Hub's form, with what the Hub thinks of it now. */
export interface ICard {
  key: string;
  title?: string;
  description?: string;
  text?: string;
  reason?: string;
  disabled?: boolean;
  level?: string;
  checked?: boolean;
  counts?: readonly number[];
}

/** What is left of one line of a quota; `share` is the used part in percent. */
export interface IQuota {
  name: string;
  left: string;
  hard: string;
  share: string;
}

/** What the form knows, judged over some choices; without a profile there is only `empty`. */
export interface IFormState {
  image?: readonly ICard[];
  size?: readonly ICard[];
  accelerator?: readonly ICard[];
  count?: readonly ICard[];
  quota?: readonly IQuota[];
  summary?: {
    words?: string;
    verdict?: string;
    price?: string;
    disabled?: boolean;
    level?: string;
  };
  /** What of the choices made before is no longer offered. */
  said?: readonly string[];
  problem?: { field: string; text: string } | null;
  empty?: { title: string; note: string; hint?: string };
}

export interface IServersPanel {
  user: string;
  current: string;
  servers: readonly IServer[];
  home: string;
  left: IFormState | null;
}
