import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { Split } from '../split';
import { asRecord, dividers, moved, problem, rounded, shifts, steered, typed } from '../split';
import { random, ROUNDS } from './random';

const sum = (split: Split) => split.reduce((all, { percent }) => all + percent, 0);

function weights(next: () => number): Split {
  const kinds = [0, 0.1, 1, 33.333, 1e-9, 1e308, NaN, -5, Infinity];
  return Array.from({ length: 1 + Math.floor(next() * 6) }, (_, index) => ({
    name: `v${index}`,
    percent: next() < 0.3 ? kinds[Math.floor(next() * kinds.length)] : next() * 100
  }));
}

function isWhole(split: Split): void {
  assert.equal(sum(split), 100, JSON.stringify(split));
  for (const { percent } of split) {
    assert.ok(Number.isInteger(percent) && percent >= 0 && percent <= 100, JSON.stringify(split));
  }
  assert.equal(problem(split), null);
}

describe('whole percents', () => {
  test('always add up to 100, whatever the weights', () => {
    const next = random(1);
    for (let round = 0; round < ROUNDS; round++) {
      const given = weights(next);
      const split = rounded(given);
      isWhole(split);
      assert.deepEqual(
        split.map(({ name }) => name),
        given.map(({ name }) => name)
      );
    }
  });

  test('are off by less than one from the exact share', () => {
    const next = random(2);
    for (let round = 0; round < ROUNDS; round++) {
      const given = Array.from({ length: 2 + Math.floor(next() * 5) }, (_, index) => ({
        name: `v${index}`,
        percent: next() + 0.001
      }));
      const all = sum(given);
      rounded(given).forEach(({ percent }, index) =>
        assert.ok(Math.abs(percent - (100 * given[index].percent) / all) < 1)
      );
    }
  });

  test('stay as they are when they are whole', () => {
    const next = random(3);
    for (let round = 0; round < ROUNDS; round++) {
      const split = rounded(weights(next));
      assert.deepEqual(rounded(split), split);
    }
  });

  test('thirds', () => {
    const third = ['a', 'b', 'c'].map(name => ({ name, percent: 1 / 3 }));
    assert.deepEqual(asRecord(rounded(third)), { a: 34, b: 33, c: 33 });
  });
});

describe('dragging', () => {
  test('any chain of moves keeps the sum, the order and the place it was put to', () => {
    const next = random(4);
    for (let round = 0; round < ROUNDS; round++) {
      let split = rounded(weights(next));
      for (let step = 0; step < 5 && split.length > 1; step++) {
        const divider = Math.floor(next() * (split.length - 1));
        const to = next() * 140 - 20;
        split = moved(split, divider, to);
        isWhole(split);
        const place = Math.min(100, Math.max(0, Math.round(to)));
        assert.equal(dividers(split)[divider], place);
      }
    }
  });

  test('putting a divider where it is changes nothing', () => {
    const next = random(5);
    for (let round = 0; round < ROUNDS; round++) {
      const split = rounded(weights(next));
      dividers(split).forEach((at, index) => assert.deepEqual(moved(split, index, at), split));
    }
  });

  test('a variant at 0 % gets its share past another at 0 %', () => {
    const split = rounded([
      { name: 'v1', percent: 100 },
      { name: 'v2', percent: 0 },
      { name: 'v3', percent: 0 }
    ]);
    assert.deepEqual(asRecord(moved(split, 1, 80)), { v1: 80, v2: 0, v3: 20 });
  });

  test('a pointer that is nowhere breaks nothing', () => {
    isWhole(
      moved(
        rounded([
          { name: 'a', percent: 1 },
          { name: 'b', percent: 1 }
        ]),
        0,
        NaN
      )
    );
  });

  test('dragging mends what was typed wrong', () => {
    const next = random(7);
    const odd = [NaN, -3, 1.5, 400, 100, 0, 50];
    for (let round = 0; round < ROUNDS; round++) {
      const split = Array.from({ length: 2 + Math.floor(next() * 3) }, (_, index) => ({
        name: `v${index}`,
        percent: odd[Math.floor(next() * odd.length)]
      }));
      isWhole(moved(split, Math.floor(next() * (split.length - 1)), next() * 100));
    }
  });

  test('keys', () => {
    const cases: [number, string, number | null][] = [
      [50, 'ArrowRight', 51],
      [50, 'ArrowLeft', 49],
      [0, 'ArrowLeft', 0],
      [100, 'ArrowUp', 100],
      [95, 'PageUp', 100],
      [50, 'PageDown', 40],
      [50, 'Home', 0],
      [50, 'End', 100],
      [50, 'a', null]
    ];
    cases.forEach(([at, key, expected]) => assert.equal(steered(at, key), expected));
  });
});

describe('typing', () => {
  const two = rounded([
    { name: 'v1', percent: 100 },
    { name: 'v2', percent: 0 }
  ]);

  test('the stable variant takes what is left', () => {
    assert.deepEqual(asRecord(typed(two, 'v2', 10)), { v1: 90, v2: 10 });
    assert.deepEqual(asRecord(typed(two, 'v1', 30)), { v1: 30, v2: 70 });
    const three = [...typed(two, 'v2', 10), { name: 'v3', percent: 0 }];
    assert.deepEqual(asRecord(typed(three, 'v3', 5)), { v1: 85, v2: 10, v3: 5 });
  });

  test('what cannot add up is said', () => {
    const three = rounded([
      { name: 'v1', percent: 50 },
      { name: 'v2', percent: 30 },
      { name: 'v3', percent: 20 }
    ]);
    assert.deepEqual(problem(typed(three, 'v3', 90)), { kind: 'more', sum: 170, by: 70 });
    assert.deepEqual(problem(typed(three, 'v1', 40)), { kind: 'less', sum: 90, by: 10 });
    assert.deepEqual(problem(typed(three, 'v2', NaN)), { kind: 'number', name: 'v2' });
    assert.deepEqual(problem(typed(three, 'v2', 1.5)), { kind: 'number', name: 'v2' });
  });

  test('a whole number that fits is always right for the others', () => {
    const next = random(6);
    for (let round = 0; round < ROUNDS; round++) {
      const split = rounded(weights(next));
      const at = Math.floor(next() * split.length);
      const room = at === 0 ? 0 : split[0].percent;
      const percent = Math.floor(next() * (split[at].percent + room + 1));
      const after = typed(split, split[at].name, percent);
      if (at > 0 || split.length === 2) {
        isWhole(after);
      }
      assert.equal(after[at].percent, percent);
    }
  });
});

test('what changes is named', () => {
  const before = [
    { name: 'v1', percent: 90 },
    { name: 'v2', percent: 10 }
  ];
  const after = [
    { name: 'v1', percent: 90 },
    { name: 'v3', percent: 10 }
  ];
  assert.deepEqual(shifts(before, after), [
    { name: 'v3', from: 0, to: 10 },
    { name: 'v2', from: 10, to: 0 }
  ]);
});
