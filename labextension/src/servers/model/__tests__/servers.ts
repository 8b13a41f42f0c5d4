import { KubeflowError } from '../../../model/errors';
import { Clock } from '../../../model/__tests__/clock';
import { ServersFeed } from '../feed';
import type { IServer, IServersPanel } from '../types';

export function server(name: string, more: Partial<IServer> = {}): IServer {
  return {
    name,
    title: name || 'Default server',
    state: 'running',
    words: '',
    isCurrent: name === '',
    url: `/user/ana/${name}`,
    form: `/hub/spawn/ana${name && `/${name}`}`,
    started: '2026-01-01T00:00:00Z',
    lastActivity: '2026-01-01T00:00:00Z',
    options: { size: 'small' },
    idle: null,
    ...more
  };
}

/** A Hub in memory that answers at once, and a feed that asks it. */
export class Hub {
  readonly clock = new Clock();
  servers: IServer[] = [server('')];
  readonly asked: string[] = [];
  readonly sent: [string, unknown][] = [];
  failure: KubeflowError | null = null;
  /** What a verb is refused with. */
  refusal: KubeflowError | null = null;
  /** Answers that are given when told to. */
  slow: (() => void)[] | null = null;
  hidden = false;

  readonly feed = new ServersFeed({
    request: async <T>(path: string, body?: object): Promise<T> => {
      if (body) {
        this.sent.push([path, body]);
        if (this.refusal) {
          throw this.refusal;
        }
        return {} as T;
      }
      this.asked.push(path);
      const answer = this.panel();
      if (this.slow) {
        await new Promise<void>(resolve => this.slow?.push(resolve));
      }
      if (this.failure) {
        throw this.failure;
      }
      return answer as T;
    },
    later: this.clock.later,
    now: this.clock.now,
    hidden: () => this.hidden
  });

  panel(): IServersPanel {
    const servers = [...this.servers];
    return { user: 'ana', current: '', servers, home: '/hub/home', left: null };
  }

  put(name: string, more: Partial<IServer>): void {
    const others = this.servers.filter(each => each.name !== name);
    this.servers = [...others, server(name, more)];
  }
}
