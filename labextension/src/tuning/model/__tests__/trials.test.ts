import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import {
  bestTrial,
  counts,
  extraMetrics,
  filterTrials,
  improvements,
  sortTrials,
  stateCounts,
  TrialList,
  trialState
} from '../trials';
import type { IObjective, ITrial } from '../types';

const LOSS: IObjective = { type: 'minimize', objectiveMetricName: 'loss' };

function trial(number: number, given: Partial<ITrial> = {}): ITrial {
  return {
    name: `t-${number}`,
    number,
    state: 'SUCCEEDED',
    value: number,
    parameters: { lr: number / 10 },
    ...given
  };
}

describe('trials', () => {
  test('a pruned trial is neither a success nor a failure', () => {
    assert.equal(trialState(trial(1, { state: 'SUCCEEDED', pruned: true })), 'pruned');
    assert.equal(trialState(trial(1, { state: 'CANCELED', pruned: true })), 'pruned');
    assert.equal(trialState(trial(1, { state: 'PENDING' })), 'waiting');
    assert.ok(!counts(trial(1, { pruned: true })));
  });

  test('increments replace what changed and keep the order of numbers', () => {
    const list = new TrialList();
    list.merge([trial(2), trial(1), trial(3)]);
    const old = list.get('t-1');
    const version = list.version;
    assert.equal(list.merge([trial(1)]), false);
    assert.equal(list.version, version);
    assert.equal(list.get('t-1'), old, 'what is the same stays the same object');
    assert.equal(list.merge([trial(3, { value: 0.5 }), trial(4)]), true);
    assert.deepEqual(
      list.items.map(each => [each.number, each.value]),
      [
        [1, 1],
        [2, 2],
        [3, 0.5],
        [4, 4]
      ]
    );
  });

  test('sorting puts what has no value last, whichever way', () => {
    const trials = [trial(1), trial(2, { value: null }), trial(3, { value: 0 }), trial(4)];
    const numbers = (down: boolean) =>
      sortTrials(trials, { by: 'value', down }).map(each => each.number);
    assert.deepEqual(numbers(false), [3, 1, 4, 2]);
    assert.deepEqual(numbers(true), [4, 1, 3, 2]);
  });

  test('sorting by a parameter of words and of numbers', () => {
    const trials = ['sgd', 'adam', 'rmsprop'].map((opt, i) => trial(i, { parameters: { opt } }));
    assert.deepEqual(
      sortTrials(trials, { by: 'parameter:opt', down: false }).map(each => each.parameters.opt),
      ['adam', 'rmsprop', 'sgd']
    );
  });

  test('filters by state, by a parameter, by number and by words of the reason', () => {
    const trials = [
      trial(1),
      trial(2, { state: 'FAILED', reason: 'ValueError: lr is too large' }),
      trial(12, { pruned: true })
    ];
    const found = (states: string[], query: string) =>
      filterTrials(trials, new Set(states) as never, query).map(each => each.number);
    assert.deepEqual(found([], ''), [1, 2, 12]);
    assert.deepEqual(found(['pruned', 'failed'], ''), [2, 12]);
    assert.deepEqual(found([], 'lr=1.2'), [12]);
    assert.deepEqual(found([], 'valueerror'), [2]);
    assert.deepEqual(found([], '2'), [2]);
    assert.deepEqual(stateCounts(trials).pruned, 1);
  });

  test('the best is of trials that ran to their end, and its way there is a staircase', () => {
    const trials = [
      trial(1, { value: 0.9 }),
      trial(2, { value: 0.1, pruned: true }),
      trial(3, { value: 0.5 }),
      trial(4, { value: 0.7 }),
      trial(5, { value: NaN }),
      trial(6, { value: 0.4, state: 'RUNNING' })
    ];
    assert.equal(bestTrial(trials, LOSS)?.number, 3);
    assert.equal(bestTrial(trials, { ...LOSS, type: 'maximize' })?.number, 1);
    assert.deepEqual(
      improvements(trials, LOSS).map(each => each.number),
      [1, 3]
    );
    assert.equal(bestTrial([], LOSS), null);
  });

  test('other metrics, those first that most trials have', () => {
    const trials = [
      trial(1, { metrics: { loss: 1, rare: 1, auc: 1 } }),
      trial(2, { metrics: { loss: 1, auc: 1 } })
    ];
    assert.deepEqual(extraMetrics(trials, 'loss'), ['auc', 'rare']);
  });
});
