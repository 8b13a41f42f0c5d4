import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { bytes, clock, duration, elapsed, number, quantity, relative } from '../format';
import { compareVersions, VERSION } from '../version';

const table = <T>(name: string, call: (value: T) => string, cases: [T, string][]) =>
  test(name, () => {
    for (const [value, text] of cases) {
      assert.equal(call(value), text);
    }
  });

table<number | null>('durations', duration, [
  [null, '–'],
  [NaN, '–'],
  [0.0004, '0.4 ms'],
  [0.004, '4 ms'],
  [0.42, '0.42 s'],
  [1, '1 s'],
  [9.94, '9.9 s'],
  [12.4, '12 s'],
  [59.6, '1 min 00 s'],
  [200, '3 min 20 s'],
  [7500, '2 h 05 min'],
  [100_000, '1 d 3 h']
]);

table<number>('clocks', clock, [
  [0.9, '0 s'],
  [59.9, '59 s'],
  [61, '1:01'],
  [3725, '1:02:05']
]);

table<number | null>('sizes', bytes, [
  [null, '–'],
  [0, '0 B'],
  [999, '999 B'],
  [1400, '1.4 kB'],
  [999_999, '1 MB'],
  [2_340_000_000, '2.34 GB']
]);

table<number>('quantities of a cluster', quantity, [
  [0, '0'],
  [512 * 2 ** 20, '512Mi'],
  [16 * 2 ** 30, '16Gi'],
  [5.5 * 2 ** 30, '5.5Gi'],
  [1023.9 * 2 ** 20, '1Gi'],
  [-(2 ** 40), '-1Ti']
]);

table<number>('numbers', number, [
  [0.93124, '0.9312'],
  [336776, '336,776'],
  [0, '0'],
  [1e-7, '1e-7'],
  [123456.789, '123,457'],
  [Infinity, '∞']
]);

test('times are relative to now', () => {
  const now = Date.parse('2026-01-02T00:00:00Z');
  assert.equal(relative('2026-01-01T23:59:50Z', now), 'now');
  assert.equal(relative('2026-01-01T23:55:00Z', now), '5 min ago');
  assert.equal(relative('2026-01-02T03:00:00Z', now), 'in 3 hr');
  assert.equal(relative('2026-01-01T00:00:00Z', now), 'yesterday');
  assert.equal(relative('not a time', now), '–');
});

test('elapsed time is never negative', () => {
  assert.equal(elapsed('2026-01-02T00:00:00Z', '2026-01-01T00:00:00Z'), 0);
  assert.equal(elapsed(null), null);
});

test('versions compare by their numbers', () => {
  assert.ok(compareVersions('0.10.0', '0.9.1') > 0);
  assert.ok(compareVersions('0.1', '0.1.0') === 0);
  assert.ok(compareVersions('0.1.0rc1', '0.2.0') < 0);
});

test('the version in the code is the package’s', () => {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  assert.equal(VERSION, manifest.version);
});
