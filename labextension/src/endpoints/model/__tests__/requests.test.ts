import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { ALL_REQUESTS, RequestFeed } from '../requests';
import type { ILogged, IRequestPage } from '../types';

/** A log that grows, read as the server reads it. */
class Log {
  all: ILogged[] = [];
  asked: Record<string, unknown>[] = [];

  add(count: number, variant = 'v1', status = 200): void {
    for (let index = 0; index < count; index++) {
      const id = `r${this.all.length}`;
      this.all.unshift({ id, time: this.all.length, variant, status, seconds: 0.01 });
    }
  }

  read = async (query: object): Promise<IRequestPage> => {
    const { limit, before, variant, failed } = query as Record<string, unknown>;
    this.asked.push(query as Record<string, unknown>);
    const found = this.all.filter(
      each => (!variant || each.variant === variant) && (!failed || each.status >= 400)
    );
    const from = before === undefined ? 0 : found.findIndex(({ id }) => id === before) + 1;
    const items = found.slice(from, from + Number(limit));
    const more = from + items.length < found.length;
    return { items, next: more ? items[items.length - 1].id : null };
  };
}

const ids = (feed: RequestFeed) => feed.items.map(({ id }) => id);

describe('the request log', () => {
  test('newer ones wait until they are asked for', async () => {
    const log = new Log();
    log.add(3);
    const feed = new RequestFeed(log);
    await feed.poll();
    assert.deepEqual(ids(feed), ['r2', 'r1', 'r0']);
    log.add(2);
    await feed.poll();
    assert.deepEqual([feed.items.length, feed.waiting, feed.waitingMore], [3, 2, false]);
    await feed.showNew();
    assert.deepEqual(ids(feed), ['r4', 'r3', 'r2', 'r1', 'r0']);
    assert.equal(feed.waiting, 0);
  });

  test('an empty log shows the first ones at once', async () => {
    const log = new Log();
    const feed = new RequestFeed(log);
    await feed.poll();
    log.add(1);
    await feed.poll();
    assert.equal(feed.items.length, 1);
  });

  test('everything is reached by scrolling, nothing twice', async () => {
    const log = new Log();
    log.add(350);
    const feed = new RequestFeed(log);
    await feed.poll();
    while (feed.more) {
      await feed.loadMore();
    }
    assert.equal(new Set(ids(feed)).size, 350);
    assert.equal(feed.items.length, 350);
  });

  test('more than a page of new ones starts over, without a hole', async () => {
    const log = new Log();
    log.add(150);
    const feed = new RequestFeed(log);
    await feed.poll();
    log.add(500);
    await feed.poll();
    assert.equal(feed.waitingMore, true);
    await feed.showNew();
    while (feed.more) {
      await feed.loadMore();
    }
    assert.equal(feed.items.length, 650);
  });

  test('only what the filter says is asked for, and an old answer never replaces a new one', async () => {
    const log = new Log();
    log.add(5);
    log.add(2, 'v2', 500);
    const late: (() => void)[] = [];
    const slow = {
      read: async (query: object) => {
        const page = await log.read(query);
        if (!('variant' in query)) {
          await new Promise<void>(resolve => late.push(resolve));
        }
        return page;
      }
    };
    const feed = new RequestFeed(slow);
    const first = feed.poll();
    await feed.setFilter({ ...ALL_REQUESTS, variant: 'v2', failed: true });
    late.forEach(call => call());
    await first;
    assert.deepEqual(ids(feed), ['r6', 'r5']);
    assert.deepEqual(log.asked[1], { limit: 100, variant: 'v2', failed: true });
  });

  test('a failure is told and keeps what is there', async () => {
    const log = new Log();
    log.add(2);
    let broken = false;
    const feed = new RequestFeed({
      read: query => (broken ? Promise.reject(new Error('away')) : log.read(query))
    });
    await feed.poll();
    broken = true;
    await feed.poll();
    assert.equal(feed.error?.message, 'away');
    assert.equal(feed.items.length, 2);
    broken = false;
    await feed.poll();
    assert.equal(feed.error, null);
  });
});
