import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { KubeflowError } from '../../../model/errors';
import { PACE } from '../feed';
import { Hub } from './servers';

describe('the Hub is asked', () => {
  test('at once, then once a minute for warnings, and faster while somebody looks', async () => {
    const hub = new Hub();
    const watch = hub.feed.watch(PACE.warning);
    await hub.clock.go(59_000);
    assert.equal(hub.asked.length, 1);
    await hub.clock.go(2_000);
    assert.equal(hub.asked.length, 2);
    const looking = hub.feed.watch(PACE.looking);
    await hub.clock.go(20_000);
    assert.equal(hub.asked.length, 6);
    looking.dispose();
    await hub.clock.go(50_000);
    assert.ok(hub.asked.length <= 7);
    watch.dispose();
    await hub.clock.go(600_000);
    assert.ok(hub.asked.length <= 7, 'nobody wants to know');
    assert.equal(hub.clock.waiting, 0);
  });

  test('faster while something changes, but not for warnings alone', async () => {
    const hub = new Hub();
    hub.put('gpu', { state: 'starting' });
    hub.feed.watch(PACE.warning);
    await hub.clock.go(30_000);
    assert.equal(hub.asked.length, 1);
    hub.feed.watch(PACE.looking);
    await hub.clock.go(9_000);
    assert.ok(hub.asked.length >= 6, String(hub.asked.length));
  });

  test('not while nobody can see the page, and at once when somebody can again', async () => {
    const hub = new Hub();
    hub.feed.watch(PACE.looking);
    await hub.clock.go(100);
    hub.hidden = true;
    await hub.clock.go(600_000);
    const before = hub.asked.length;
    assert.ok(before <= 2);
    hub.hidden = false;
    hub.feed.wake();
    await hub.clock.go(10);
    assert.equal(hub.asked.length, before + 1);
  });

  test('ever more seldom when it does not answer; what was known stays', async () => {
    const hub = new Hub();
    hub.feed.watch(PACE.looking);
    await hub.clock.go(10);
    hub.failure = new KubeflowError('The Hub does not answer');
    await hub.clock.go(600_000);
    assert.ok(hub.asked.length < 20, String(hub.asked.length));
    assert.equal(hub.feed.error?.message, 'The Hub does not answer');
    assert.equal(hub.feed.panel?.servers.length, 1);
    hub.failure = null;
    await hub.feed.refresh();
    assert.equal(hub.feed.error, null);
    const before = hub.asked.length;
    await hub.clock.go(10_500);
    assert.equal(hub.asked.length, before + 2);
  });

  test('and an answer that was overtaken counts for nothing', async () => {
    const hub = new Hub();
    hub.slow = [];
    hub.feed.watch(PACE.looking);
    await hub.clock.go(1);
    hub.put('gpu', {});
    const second = hub.feed.refresh();
    await hub.clock.go(1);
    const [first, later] = hub.slow;
    hub.slow = null;
    later();
    await second;
    assert.ok(hub.feed.get('gpu'));
    first();
    await hub.clock.go(1);
    assert.ok(hub.feed.get('gpu'), 'the older answer did not have it');
  });
});

describe('what is asked of a server', () => {
  test('is sent, and what it did is read', async () => {
    const hub = new Hub();
    hub.feed.watch(PACE.looking);
    hub.put('gpu', { state: 'stopped' });
    await hub.clock.go(10);
    const done = hub.feed.start('gpu', { size: 'large' });
    hub.put('gpu', { state: 'starting' });
    await done;
    assert.deepEqual(hub.sent, [['servers:start', { name: 'gpu', options: { size: 'large' } }]]);
    assert.equal(hub.feed.get('gpu')?.state, 'starting');
    assert.equal(hub.feed.problem('gpu'), null);
  });

  test('and refused, says why until it is tried again or runs', async () => {
    const hub = new Hub();
    hub.put('gpu', { state: 'stopped' });
    hub.feed.watch(PACE.looking);
    hub.refusal = new KubeflowError('One user may have 1 GPU');
    assert.equal(await hub.feed.start('gpu'), false);
    assert.equal(hub.feed.problem('gpu')?.message, 'One user may have 1 GPU');
    await hub.clock.go(20_000);
    assert.ok(hub.feed.problem('gpu'));
    hub.put('gpu', { state: 'starting' });
    await hub.feed.refresh();
    assert.equal(hub.feed.problem('gpu'), null);
  });

  test('choices for the next start are shown, although the Hub tells those of the last one', async () => {
    const hub = new Hub();
    hub.put('gpu', { state: 'stopped' });
    hub.feed.watch(PACE.looking);
    await hub.feed.resize('gpu', { size: 'large' });
    assert.deepEqual(hub.feed.get('gpu')?.options, { size: 'large' });
    hub.put('gpu', { options: { size: 'huge' } });
    await hub.feed.refresh();
    hub.put('gpu', { state: 'stopped', options: { size: 'huge' } });
    await hub.feed.refresh();
    assert.deepEqual(hub.feed.get('gpu')?.options, { size: 'huge' });
  });

  test('a start that comes to nothing is asked about, and the Hub says why', async () => {
    const hub = new Hub();
    hub.put('gpu', { state: 'starting' });
    hub.feed.watch(PACE.looking);
    await hub.clock.go(10);
    hub.put('gpu', { state: 'stopped' });
    await hub.feed.refresh();
    assert.equal(hub.feed.problem('gpu'), null);
    hub.put('gpu', { state: 'stopped', words: 'It ended with status 1.' });
    await hub.clock.go(PACE.changing + 10);
    assert.equal(hub.asked[hub.asked.length - 1], 'servers?why=gpu');
    assert.equal(hub.feed.problem('gpu')?.message, 'It ended with status 1.');
    await hub.clock.go(10_000);
    assert.equal(hub.asked[hub.asked.length - 1], 'servers');
    hub.feed.forget('gpu');
    assert.equal(hub.feed.problem('gpu'), null);
  });

  test('a start that was given up did not fail, whatever the Hub answers', async () => {
    const hub = new Hub();
    hub.put('gpu', { state: 'stopped' });
    hub.feed.watch(PACE.looking);
    hub.refusal = new KubeflowError('Internal Server Error');
    const started = hub.feed.start('gpu');
    hub.put('gpu', { state: 'starting' });
    const stopped = hub.feed.stop('gpu');
    await Promise.all([started, stopped]);
    assert.equal(hub.feed.problem('gpu'), null);
  });

  test('one that was stopped while it started did not fail', async () => {
    const hub = new Hub();
    hub.put('gpu', { state: 'starting' });
    hub.feed.watch(PACE.looking);
    await hub.clock.go(10);
    const stopped = hub.feed.stop('gpu');
    hub.put('gpu', { state: 'stopped' });
    await stopped;
    await hub.clock.go(20_000);
    assert.ok(!hub.asked.some(path => path.includes('why')));
  });
});
