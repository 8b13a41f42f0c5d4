import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Clock } from '../../model/__tests__/clock';
import { HomeFeed, MEASURED, SPACING } from '../feed';
import type { ICapacity, IPage, IShare } from '../page';
import { byHolder, colours, isEmpty, totals } from '../page';

const PROFILE = { name: 'default', cluster: 'this machine', kind: 'local' };
const NOTHING: IPage = {
  profile: PROFILE,
  work: { active: [], failed: [], recent: [], counts: {}, schedules: [] },
  endpoints: []
};

function share(name: string, cpu: number, kind = 'Run'): IShare {
  return { kind, name, unit: 'a', cpu, memory: 10, gpus: 1 };
}

const GPU = { uuid: 'GPU-0', index: 0, name: 'L4', memory: 24e9, holder: null, use: 0 };
const CAPACITY: ICapacity = {
  cpu: { total: 4000, free: 3000 },
  memory: { total: 100, free: 90 },
  gpus: [
    { ...GPU, state: 'used', holder: { kind: 'TrainJob', name: 'mnist', unit: 'a' } },
    { ...GPU, state: 'free' }
  ],
  holders: [share('flights', 500), share('flights', 250)],
  waiting: []
};

function feed(pages: (IPage | Error)[]): { feed: HomeFeed; clock: Clock; asked: () => number } {
  const clock = new Clock();
  let asked = 0;
  const services = {
    request: async () => {
      const page = pages[Math.min(asked, pages.length - 1)];
      asked += 1;
      if (page instanceof Error) {
        throw page;
      }
      return page;
    },
    later: clock.later,
    now: clock.now
  };
  return { feed: new HomeFeed(services), clock, asked: () => asked };
}

void test('nothing is asked while nobody looks', async () => {
  const { feed: home, clock, asked } = feed([NOTHING]);
  home.stir();
  await clock.go(60_000);
  assert.equal(asked(), 0);
  const watching = home.watch();
  await clock.go(0);
  assert.equal(asked(), 1);
  watching.dispose();
  home.stir();
  await clock.go(60_000);
  assert.equal(asked(), 1);
});

void test('a burst of events is one more question, and the last event is never lost', async () => {
  const { feed: home, clock, asked } = feed([NOTHING]);
  home.watch();
  await clock.go(0);
  for (let event = 0; event < 500; event++) {
    home.stir();
  }
  await clock.go(SPACING - 1);
  assert.equal(asked(), 1);
  await clock.go(1);
  assert.equal(asked(), 2);
  await clock.go(600_000);
  assert.equal(asked(), 2);
});

void test('an event during a question asks again afterwards', async () => {
  const { feed: home, clock, asked } = feed([NOTHING]);
  home.watch();
  home.stir();
  await clock.go(SPACING);
  assert.equal(asked(), 2);
});

void test('a failure keeps what was known', async () => {
  const { feed: home, clock } = feed([NOTHING, new Error('away'), NOTHING]);
  home.watch();
  await clock.go(SPACING);
  home.stir();
  await clock.go(SPACING);
  assert.match(String(home.error?.message), /away/);
  assert.equal(home.page, NOTHING);
  home.stir();
  await clock.go(SPACING);
  assert.equal(home.error, null);
});

void test('with GPUs it is read again by itself, for no event tells how busy they are', async () => {
  const { feed: home, clock, asked } = feed([{ ...NOTHING, capacity: CAPACITY }]);
  const watching = home.watch();
  await clock.go(MEASURED * 2);
  assert.equal(asked(), 3);
  watching.dispose();
  await clock.go(MEASURED * 2);
  assert.equal(asked(), 3);
  assert.equal(clock.waiting, 0);
});

void test('the leases of one holder are one row, and it has one colour everywhere', () => {
  const rows = byHolder(CAPACITY.holders);
  assert.deepEqual(
    rows.map(({ name, cpu, memory, gpus }) => [name, cpu, memory, gpus]),
    [['flights', 750, 20, 2]]
  );
  assert.equal(byHolder([share('a', 1), share('a', 1, 'TrainJob')]).length, 2);
  const found = colours(CAPACITY);
  assert.deepEqual([found.get('flights'), found.get('mnist')], [0, 1]);
});

void test('a page is empty when nothing was ever made, not when it is unknown', () => {
  assert.equal(isEmpty(NOTHING), true);
  assert.equal(isEmpty({ profile: PROFILE }), false);
  assert.equal(isEmpty({ ...NOTHING, work: { error: { message: 'locked' } } }), false);
  const counts = { Run: { SUCCEEDED: 3, FAILED: 1, PENDING: 2 } };
  assert.equal(
    isEmpty({ ...NOTHING, work: { active: [], failed: [], recent: [], schedules: [], counts } }),
    false
  );
  assert.deepEqual(totals(counts.Run), { all: 6, active: 2, failed: 1 });
});
