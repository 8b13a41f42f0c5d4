import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { category, extent, linear, log, niceTicks, short } from '../scales';

describe('scales', () => {
  test('a linear axis goes there and back', () => {
    const scale = linear(10, 30);
    assert.equal(scale.at(20), 0.5);
    assert.equal(scale.value(0.25), 15);
    assert.deepEqual(
      scale.ticks(5).map(tick => tick.label),
      ['10', '15', '20', '25', '30']
    );
  });

  test('an axis of counts marks whole numbers only', () => {
    const labels = (low: number, high: number) =>
      linear(low, high, true)
        .ticks(8)
        .map(tick => tick.label);
    assert.deepEqual(labels(0, 2), ['0', '1', '2']);
    assert.deepEqual(labels(1, 1), ['1']);
    assert.deepEqual(labels(0, 100), ['0', '20', '40', '60', '80', '100']);
  });

  test('an axis of one value has it in the middle', () => {
    assert.equal(linear(4, 4).at(4), 0.5);
    assert.equal(linear(0, 0).at(0), 0.5);
    assert.equal(category(['a']).at('a'), 0.5);
    assert.equal(log(1, 1).at(1), 0);
  });

  test('a logarithmic axis marks powers of ten, and its zero has no place', () => {
    const scale = log(1e-4, 1e-1);
    assert.ok(Math.abs(scale.at(1e-3) - 1 / 3) < 1e-12);
    assert.equal(scale.value(1), 0.1);
    assert.deepEqual(
      scale.ticks(6).map(tick => tick.label),
      ['1e-4', '0.001', '0.01', '0.1']
    );
    assert.ok(!Number.isFinite(scale.at(0)));
  });

  test('a logarithmic axis within one power of ten has marks too', () => {
    assert.ok(log(2, 8).ticks(5).length >= 2);
  });

  test('categories stand at equal distances; what is none of them has no place', () => {
    const scale = category(['sgd', 'adam', 'true']);
    assert.deepEqual(['sgd', 'adam', true].map(scale.at), [0, 0.5, 1]);
    assert.ok(Number.isNaN(scale.at('rmsprop')));
    assert.equal(scale.value(0.6), 'adam');
    assert.equal(scale.step, 0.5);
  });

  test('what is missing has no place', () => {
    for (const scale of [linear(0, 1), log(1, 2)]) {
      assert.ok(Number.isNaN(scale.at(null)) && Number.isNaN(scale.at(undefined)));
    }
  });

  test('ranges leave out what is not finite', () => {
    assert.deepEqual(extent([3, NaN, null, -1, Infinity, undefined]), [-1, 3]);
    assert.equal(extent([NaN]), null);
  });

  test('marks are round numbers inside the range', () => {
    assert.deepEqual(niceTicks(0.03, 0.31, 4), [0.1, 0.2, 0.3]);
    assert.deepEqual(niceTicks(-1, 1, 5), [-1, -0.5, 0, 0.5, 1]);
    assert.deepEqual(niceTicks(5, 5, 5), [5]);
  });

  test('labels are short', () => {
    assert.deepEqual([0, 0.25, 20_000, 1e-5, 2.5e7].map(short), [
      '0',
      '0.25',
      '20k',
      '1e-5',
      '2.5e7'
    ]);
  });
});
