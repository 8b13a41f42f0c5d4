import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { find, latest, newest, recent, trafficCharts, windowed } from '../series';
import { amount, latency, picture, tone } from '../interval';
import { random, ROUNDS } from './random';

const series = (name: string, points: [number, number][]) => ({
  name,
  rank: -1,
  steps: points.map((_, index) => index),
  times: points.map(([time]) => time),
  values: points.map(([, value]) => value)
});

describe('what was measured', () => {
  const rate = series('v1/rate', [
    [100, 5],
    [101, 7],
    [102, 6]
  ]);

  test('the rate is the mean of the last seconds, also of those when nothing came', () => {
    assert.equal(recent(rate, 102, 3), 6);
    assert.equal(recent(rate, 105, 6), 3);
    assert.equal(recent(rate, 500), 0);
    assert.equal(recent(undefined, 500), null);
  });

  test('a latency is the last one, as long as it is not old', () => {
    assert.equal(latest(rate, 110), 6);
    assert.equal(latest(rate, 500), null);
    assert.equal(
      latest(
        series('x', [
          [100, 1],
          [101, NaN]
        ]),
        101
      ),
      1
    );
  });

  test('variants with a slash or the beginning of another in their name keep apart', () => {
    const all = [series('v1/rate', []), series('v10/rate', []), series('a/b/rate', [])];
    assert.equal(find(all, 'v1', 'rate')?.name, 'v1/rate');
    assert.equal(find(all, 'a/b', 'rate')?.name, 'a/b/rate');
    assert.equal(find(all, 'v2', 'rate'), undefined);
    assert.equal(newest([rate, series('v2/rate', [[109, 1]])]), 109);
    assert.equal(newest([]), null);
  });

  test('a silence is no rate, and no line of latencies', () => {
    const found = series('v1/rate', [
      [100, 5],
      [110, 7]
    ]);
    assert.deepEqual(windowed(found, 120, 20, 'zero'), {
      x: [-20, -19, -11, -10, -9, 0],
      y: [5, 0, 0, 7, 0, 0]
    });
    const gaps = windowed(found, 120, 20, 'gap');
    assert.deepEqual(gaps.y.filter(Number.isFinite), [5, 7, 7]);
  });

  test('x grows and lies in the window, whatever was measured', () => {
    const next = random(21);
    for (let round = 0; round < ROUNDS; round++) {
      let time = 0;
      const points = Array.from({ length: Math.floor(next() * 20) }, (): [number, number] => {
        time += next() < 0.7 ? 1 : Math.floor(next() * 30);
        return [time, next()];
      });
      const { x, y } = windowed(
        series('v/rate', points),
        time + Math.floor(next() * 10),
        60,
        'zero'
      );
      assert.equal(x.length, y.length);
      x.forEach((at, index) => {
        assert.ok(at >= -60 && at <= 0, String(at));
        assert.ok(!index || at >= x[index - 1], x.join());
      });
    }
  });

  test('a colour for each variant, the same in each picture', () => {
    const all = ['v1', 'v2'].flatMap(name =>
      ['rate', 'errors', 'p50', 'p95', 'p99'].map(what => series(`${name}/${what}`, [[100, 1]]))
    );
    const charts = trafficCharts(all, ['v1', 'v2'], 100, 60);
    assert.deepEqual(
      charts.map(({ lines }) => lines.length),
      [2, 6, 2]
    );
    for (const { lines } of charts) {
      lines.forEach(line => assert.equal(line.colour, line.key.startsWith('v1/') ? 0 : 1));
    }
  });
});

describe('the picture of an interval', () => {
  const difference = { variant: 'v2', against: 'v1', metric: 'errors', significant: true };

  test('zero, ends and estimate lie in it in their order', () => {
    const next = random(22);
    for (let round = 0; round < ROUNDS; round++) {
      const estimate = (next() - 0.5) * 10 ** Math.floor(next() * 12 - 6);
      const low = estimate - next() * Math.abs(estimate) * 3;
      const high = estimate + next() * Math.abs(estimate) * 3;
      const drawn = picture({ ...difference, estimate, interval: [low, high] });
      assert.ok(drawn);
      const { zero, at } = drawn;
      assert.ok(0 <= drawn.low && drawn.low <= at && at <= drawn.high && drawn.high <= 1);
      assert.ok(zero >= 0 && zero <= 1);
      assert.equal(Math.sign(at - zero), Math.sign(estimate));
    }
  });

  test('without an interval there is none', () => {
    assert.equal(picture({ ...difference, estimate: 1, interval: null }), null);
    assert.ok(picture({ ...difference, estimate: 0, interval: [0, 0] }));
  });

  test('it is good or bad only where there is enough to say so', () => {
    const given = { ...difference, estimate: -1, interval: [-2, -0.5] as [number, number] };
    assert.equal(tone({ ...given, better: true }), 'good');
    assert.equal(tone({ ...given, better: false }), 'bad');
    assert.equal(tone({ ...given, better: true, significant: false }), 'off');
    assert.equal(tone({ ...given, better: null }), 'off');
  });

  test('latencies stay in milliseconds below a second', () => {
    const cases: [number | null, string][] = [
      [0, '0 ms'],
      [0.0004, '0.4 ms'],
      [0.0123, '12 ms'],
      [0.0032, '3.2 ms'],
      [0.4567, '457 ms'],
      [1.5, '1.5 s'],
      [null, '–'],
      [NaN, '–']
    ];
    cases.forEach(([seconds, text]) => assert.equal(latency(seconds), text));
  });

  test('amounts have their unit and sign', () => {
    assert.equal(amount(0.0182, 'share'), '+1.82 %');
    assert.equal(amount(-0.0042, 's'), '−4.2 ms');
    assert.equal(amount(1.5, 's'), '+1.5 s');
    assert.equal(amount(0, ''), '0');
  });
});
