import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { activeTasks, shares, stageSeconds, stagesOf, strip } from '../stages';
import { app, stage } from './resource';

const NOW = Date.parse('2026-01-01T00:10:00Z');
const at = (seconds: number) => new Date(NOW - 600_000 + seconds * 1000).toISOString();

function ran(id: number, from: number, to?: number) {
  return stage(id, {
    state: to === undefined ? 'ACTIVE' : 'COMPLETE',
    submittedAt: at(from),
    completedAt: to === undefined ? null : at(to)
  });
}

describe('tasks', () => {
  const running = app('RUNNING');

  test('done, running and failed are parts of one', () => {
    const one = stage(1, { done: 4, active: 2, failed: 1 });
    assert.deepEqual(shares(one, running), { done: 0.4, active: 0.2, failed: 0.1 });
  });

  test('what was not told is as many as the executors can', () => {
    assert.equal(activeTasks(stage(1, { done: 4 }), running), 2);
    assert.equal(activeTasks(stage(1, { done: 9 }), running), 1);
  });

  test('nothing runs when it is over', () => {
    assert.equal(activeTasks(stage(1, { active: 2 }), app('FAILED')), 0);
    assert.equal(activeTasks(stage(1, { active: 2, state: 'COMPLETE' }), running), 0);
  });

  test('a task that failed and was then done is done', () => {
    const one = stage(1, { done: 10, failed: 3, state: 'COMPLETE' });
    assert.deepEqual(shares(one, running), { done: 1, active: 0, failed: 0 });
  });

  test('shares never come to more than all', () => {
    for (let done = 0; done <= 10; done++) {
      for (let active = 0; active <= 12; active++) {
        for (let failed = 0; failed <= 12; failed++) {
          const found = shares(stage(1, { done, active, failed }), running);
          const sum = found.done + found.active + found.failed;
          assert.ok(sum <= 1 + 1e-9, `${done} ${active} ${failed}`);
        }
      }
    }
  });

  test('a stage without tasks has no bar until it is over', () => {
    assert.equal(shares(stage(1, { tasks: 0 }), running).done, 0);
    assert.equal(shares(stage(1, { tasks: 0, state: 'COMPLETE' }), running).done, 1);
  });
});

test('those that run come first, then the last that ended', () => {
  const stages = [stage(1, { state: 'COMPLETE' }), stage(2), stage(3, { state: 'COMPLETE' })];
  assert.deepEqual(
    stagesOf(app('RUNNING', { stages })).map(({ id }) => id),
    [2, 3, 1]
  );
});

test('a stage that runs has taken until now', () => {
  assert.equal(stageSeconds(ran(1, 590), NOW), 10);
  assert.equal(stageSeconds(ran(1, 0, 5), NOW), 5);
  assert.equal(stageSeconds(stage(1), NOW), null);
});

describe('when stages ran', () => {
  test('without times there is no picture', () => assert.equal(strip([stage(1)], NOW), null));

  test('one after the other are in one lane', () => {
    const found = strip([ran(2, 10, 20), ran(1, 0, 10)], NOW)!;
    assert.equal(found.lanes, 1);
    assert.equal(found.seconds, 20);
    assert.deepEqual(
      found.spans.map(({ left, width }) => [left, width]),
      [
        [0, 0.5],
        [0.5, 0.5]
      ]
    );
    assert.deepEqual(found.gaps, []);
  });

  test('those that overlap have lanes of their own', () => {
    const found = strip([ran(1, 0, 10), ran(2, 5, 15), ran(3, 10, 12)], NOW)!;
    assert.deepEqual(
      found.spans.map(({ lane }) => lane),
      [0, 1, 0]
    );
  });

  test('a long silence is cut short and told in full', () => {
    const found = strip([ran(1, 0, 10), ran(2, 510, 520)], NOW)!;
    assert.equal(found.seconds, 20);
    const [gap] = found.gaps;
    assert.equal(gap.seconds, 500);
    assert.ok(gap.width < 0.06);
    const last = found.spans[1];
    assert.ok(Math.abs(last.left + last.width - 1) < 1e-9);
    assert.ok(last.width > 0.45);
  });
});
