import type { IResource, IResourceEvent } from './types';

/** So many names are remembered; what is older was read again long ago. */
const MOST = 2_000;

interface INews {
  version: number;
  gone: boolean;
}

/** What events told lately: an answer that was on its way meanwhile knows less than they did. */
export class Heard {
  note(event: IResourceEvent): void {
    const version = Number(event.resourceVersion) || 0;
    this._newest = Math.max(this._newest, version);
    if (version >= this.version(event.name)) {
      this._news.delete(event.name);
      this._news.set(event.name, { version, gone: event.type === 'DELETED' });
    }
    if (this._news.size > MOST) {
      const [oldest] = this._news.keys();
      this._news.delete(oldest);
    }
  }

  /** Of the last event about this one; 0 if there was none. */
  version(name: string): number {
    return this._news.get(name)?.version ?? 0;
  }

  /** Of the last event about any. */
  get newest(): number {
    return this._newest;
  }

  /** Whether it was deleted after this was read. */
  isGone(item: IResource): boolean {
    const news = this._news.get(item.metadata.name);
    return Boolean(news?.gone) && news!.version >= versionOf(item);
  }

  private _newest = 0;
  private _news = new Map<string, INews>();
}

export function versionOf(item: IResource | null | undefined): number {
  return Number(item?.metadata.resourceVersion ?? 0) || 0;
}
