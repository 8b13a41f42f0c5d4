import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Clock } from '../../../model/__tests__/clock';
import type { ITrialQuery } from '../feed';
import { TrialFeed } from '../feed';
import type { ITrial } from '../types';

/** Trials in memory that answers as the server does. */
class Trials {
  readonly clock = new Clock();
  readonly asked: ITrialQuery[] = [];
  version = 0;
  broken = false;

  readonly feed = new TrialFeed({
    trials: async query => {
      this.asked.push(query);
      if (this.broken) {
        throw new Error('away');
      }
      const since = Number(query.since ?? -1);
      const changed = this._all.filter(
        ({ trial, version }) => version > since && trial.number > (query.after ?? 0)
      );
      const items = changed.slice(0, query.limit).map(each => each.trial);
      return { items, total: this._all.length, resourceVersion: this.version };
    },
    later: this.clock.later,
    now: this.clock.now
  });

  put(number: number, value: number): void {
    this.version += 1;
    const trial: ITrial = {
      name: `t-${number}`,
      number,
      state: 'SUCCEEDED',
      value,
      parameters: {}
    };
    this._all[number - 1] = { trial, version: this.version };
  }

  private _all: { trial: ITrial; version: number }[] = [];
}

describe('the feed of trials', () => {
  test('ten thousand trials come in pages, and then only what changed', async () => {
    const server = new Trials();
    for (let number = 1; number <= 10_000; number++) {
      server.put(number, number);
    }
    let drawn = 0;
    server.feed.changed.connect(() => (drawn += 1));
    await server.feed.refresh();
    assert.equal(server.feed.list.items.length, 10_000);
    assert.ok(server.asked.length <= 6, `${server.asked.length} requests`);
    assert.ok(server.feed.loaded && drawn >= 2, 'what is there is shown while the rest comes');

    server.put(3, 0.5);
    server.put(10_001, 7);
    server.feed.poke();
    await server.clock.go(1000);
    assert.equal(server.feed.list.get('t-3')?.value, 0.5);
    assert.equal(server.feed.total, 10_001);
    assert.equal(server.asked.at(-1)?.since, 10_000);
  });

  test('a burst of events is few requests', async () => {
    const server = new Trials();
    await server.feed.refresh();
    const before = server.asked.length;
    for (let number = 1; number <= 100; number++) {
      server.put(number, number);
      server.feed.poke();
      await server.clock.go(10);
    }
    await server.clock.go(1000);
    assert.equal(server.feed.list.items.length, 100);
    assert.ok(server.asked.length - before <= 6, `${server.asked.length - before} requests`);
  });

  test('what is known stays when the server is away, and goes on after', async () => {
    const server = new Trials();
    server.put(1, 1);
    await server.feed.refresh();
    server.broken = true;
    server.put(2, 2);
    await server.feed.refresh();
    assert.match(server.feed.error?.message ?? '', /away/);
    assert.equal(server.feed.list.items.length, 1);
    server.broken = false;
    await server.feed.refresh();
    assert.equal(server.feed.error, null);
    assert.equal(server.feed.list.items.length, 2);
  });

  test('after it is disposed nothing is asked', async () => {
    const server = new Trials();
    await server.feed.refresh();
    server.feed.poke();
    server.feed.dispose();
    const before = server.asked.length;
    await server.clock.go(1000);
    server.feed.poke();
    await server.clock.go(1000);
    assert.equal(server.asked.length, before);
  });
});
