/** What `POST {plural}/{name}:code` answers: the same resource in several languages. */
export interface ICode {
  python?: string;
  magic?: string;
  cli?: string;
  yaml?: string | null;
  /** Why there is no YAML that a cluster could run. */
  refused?: string | null;
}

/** A server may give the Python alone. */
export function codeOf(reply: unknown): ICode {
  return typeof reply === 'string' ? { python: reply } : (reply as ICode);
}
