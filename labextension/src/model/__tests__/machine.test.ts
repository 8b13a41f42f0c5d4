import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { ENGLISH } from '../../tuning/model/__tests__/text';
import { fitWords, neverFits, roomWords, withoutGpu } from '../machine';

const MACHINE = {
  cpuMilli: 2000,
  memoryBytes: 8e9,
  free: { cpuMilli: 500, memoryBytes: 2e9 },
  gpus: []
};
const TWO = { ...MACHINE, gpus: [{ name: 'A100' }, { name: 'A100' }] };

describe('what a machine has', () => {
  test('is said of what is free now', () => {
    assert.deepEqual(roomWords(MACHINE, ENGLISH), {
      cpu: '0.5 of 2 are free now.',
      memory: '2 GB of 8 GB are free now.'
    });
    assert.equal(roomWords(TWO, ENGLISH).gpu, 'This machine has 2: A100.');
  });

  test('is not made up where it is not known', () => {
    assert.deepEqual(roomWords(null, ENGLISH), {});
    assert.deepEqual(roomWords({ cpuMilli: 2000 }, ENGLISH), {});
    assert.deepEqual(neverFits({ cpu: '99', memory: '1Ti', gpu: '9' }, 1, null, ENGLISH), {});
    assert.equal(withoutGpu({}, { cpuMilli: 2000 }, ENGLISH), null);
  });

  test('without a GPU none can be asked for, but one that stands there can be taken away', () => {
    assert.ok(withoutGpu({ gpu: '' }, MACHINE, ENGLISH));
    assert.equal(withoutGpu({ gpu: '1' }, MACHINE, ENGLISH), null);
    assert.equal(withoutGpu({ gpu: '' }, TWO, ENGLISH), null);
  });
});

describe('what can never be had', () => {
  const cases: [Record<string, string>, number, string[]][] = [
    [{ cpu: '2' }, 1, []],
    [{ cpu: '2' }, 2, ['cpu']],
    [{ cpu: '2001m' }, 1, ['cpu']],
    [{ memory: '7Gi' }, 1, []],
    [{ memory: '8Gi' }, 1, ['memory']],
    [{ memory: '4G' }, 3, ['memory']],
    [{ gpu: '2' }, 1, []],
    [{ gpu: '2' }, 2, ['gpu']],
    [{ cpu: 'much', memory: 'more', gpu: 'all' }, 1, []],
    [{ cpu: '3', memory: '1Ti', gpu: '3' }, 1, ['cpu', 'memory', 'gpu']]
  ];
  for (const [asked, times, wrong] of cases) {
    test(`${times} × ${JSON.stringify(asked)}`, () =>
      assert.deepEqual(Object.keys(neverFits(asked, times, TWO, ENGLISH)), wrong));
  }

  test('is said with both amounts', () => {
    const found = neverFits({ cpu: '4000', gpu: '1' }, 1, MACHINE, ENGLISH);
    assert.equal(found.cpu, '4000 cores cannot be had: this machine has 2.');
    assert.equal(found.gpu, 'This machine has no GPU.');
  });
});

test('what fits now, what will wait and what will be refused', () => {
  const words = (cores: number) => fitWords('1 process', cores, MACHINE, ENGLISH);
  assert.equal(words(0.5), '1 process on 0.5 of 2 cores of this machine.');
  assert.equal(words(1), '1 process on 1 cores: 0.5 of 2 are free now. It will wait.');
  assert.match(words(3), /this machine has 2\. It will be refused/);
});
