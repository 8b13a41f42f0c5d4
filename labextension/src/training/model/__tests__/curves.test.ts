import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { mean, nearest, range, smooth, thin } from '../../../chart/smooth';
import { Clock } from '../../../model/__tests__/clock';
import { KubeflowError } from '../../../model/errors';
import { CURVE_OPTIONS, metricCharts, systemCharts } from '../charts';
import { Curves, CurvesFeed } from '../curves';
import type { ICurvesPage } from '../types';

const WORDS = { mean: 'Mean', rank: (rank: number) => `Rank ${rank}` };

function page(
  cursor: number,
  points: Record<string, [number | null, number, number | null][]>
): ICurvesPage {
  return {
    cursor,
    series: Object.entries(points).map(([key, found]) => {
      const [rank, name] = key.split(':');
      return { name, rank: Number(rank), points: found };
    })
  };
}

describe('lines', () => {
  test('smoothing is not drawn to zero at its beginning, and keeps gaps', () => {
    assert.deepEqual(
      smooth([4, 4, 4], 0.9).map(value => value.toFixed(6)),
      ['4.000000', '4.000000', '4.000000']
    );
    assert.deepEqual(smooth([1, NaN, 1], 0.5), [1, NaN, 1]);
    assert.deepEqual(smooth([1, 2], 0), [1, 2]);
    const calm = smooth([0, 1, 0, 1, 0, 1, 0, 1], 0.8);
    assert.ok(Math.max(...calm.slice(4)) < 0.7 && Math.min(...calm.slice(4)) > 0.3);
  });

  test('the mean counts who has a value at that step', () => {
    const found = mean([
      { x: [0, 1, 2], y: [1, 1, 1] },
      { x: [0, 2], y: [3, NaN] }
    ]);
    assert.deepEqual(found, { x: [0, 1, 2], y: [2, 1, 1] });
  });

  test('the mean does not jump where one line is a moment behind', () => {
    const behind = { x: [0, 1], y: [2, 2] };
    assert.deepEqual(mean([{ x: [0, 1, 2], y: [0, 0, 0] }, behind]).y, [1, 1, 1]);
    const gone = { x: [0, 1, 2, 3, 4], y: [0, 0, 0, 0, 0] };
    assert.deepEqual(mean([gone, behind]).y, [1, 1, 0, 0, 0]);
  });

  test('100,000 points are drawn with a few a pixel, and no peak is lost', () => {
    const x = Array.from({ length: 100_000 }, (_, index) => index);
    const y = x.map(value => Math.sin(value / 1000));
    y[54_321] = 99;
    y[77_777] = -99;
    const kept = thin({ x, y }, 0, 99_999, 300);
    assert.ok(kept.length <= 1204, `${kept.length} points for 300 pixels`);
    assert.ok(kept.includes(54_321) && kept.includes(77_777));
    assert.equal(kept[0], 0);
    assert.equal(kept[kept.length - 1], 99_999);
    assert.ok(kept.every((index, at) => !at || index > kept[at - 1]));
  });

  test('few points are left alone', () => {
    assert.deepEqual(thin({ x: [1, 2, 3], y: [1, 2, 3] }, 1, 3, 300), [0, 1, 2]);
  });

  test('the nearest point, also outside and of none', () => {
    assert.deepEqual(
      [-5, 0.4, 0.6, 9].map(value => nearest([0, 1, 2], value)),
      [0, 0, 1, 2]
    );
    assert.equal(nearest([], 1), -1);
  });

  test('a range leaves out what has no place on a log scale', () => {
    assert.deepEqual(range([{ x: [0, 1, 2], y: [-1, NaN, 5] }]), [-1, 5]);
    assert.deepEqual(range([{ x: [0, 1, 2], y: [0, 0.1, 5] }], true), [0.1, 5]);
    assert.equal(range([{ x: [0], y: [NaN] }]), null);
  });
});

describe('curves', () => {
  test('grow by pages; a point without a step is the next one', () => {
    const curves = new Curves();
    assert.ok(curves.add(page(2, { '0:loss': [[null, 10, 1]], '1:loss': [[0, 10, 2]] })));
    assert.ok(curves.add(page(3, { '0:loss': [[null, 11, null]] })));
    assert.ok(!curves.add(page(3, {})));
    const [first, second] = curves.series;
    assert.deepEqual(first.steps, [0, 1]);
    assert.ok(Number.isNaN(first.values[1]));
    assert.equal(second.rank, 1);
    assert.equal(curves.cursor, 3);
  });

  test('a long one is thinned, but its ends and peaks stay', () => {
    const curves = new Curves();
    const points = Array.from({ length: 30_000 }, (_, index): [number, number, number] => [
      index,
      index,
      index === 12_345 ? 50 : Math.random()
    ]);
    curves.add(page(1, { '0:loss': points }));
    const [series] = curves.series;
    assert.ok(series.times.length <= 10_100, `${series.times.length} points`);
    assert.equal(series.times[0], 0);
    assert.equal(series.times[series.times.length - 1], 29_999);
    assert.ok(series.values.includes(50));
  });

  test('a mean with its ranks behind it, losses first', () => {
    const curves = new Curves();
    curves.add(
      page(1, {
        '0:acc': [[0, 100, 0.5]],
        '0:loss': [
          [0, 100, 1],
          [1, 101, 0.5]
        ],
        '1:loss': [
          [0, 100, 3],
          [1, 101, 1.5]
        ],
        '-1:system/cpu': [[null, 100, 1.5]]
      })
    );
    const charts = metricCharts(curves.series, 100, CURVE_OPTIONS, WORDS);
    assert.deepEqual(
      charts.map(chart => chart.name),
      ['loss', 'acc']
    );
    const [loss, acc] = charts;
    assert.deepEqual(
      loss.lines.map(line => [line.name, line.weight]),
      [
        ['Rank 0', 'thin'],
        ['Rank 1', 'thin'],
        ['Mean', 'main']
      ]
    );
    assert.deepEqual(loss.lines[2].y, [2, 1]);
    assert.deepEqual(loss.times, [0, 1]);
    assert.deepEqual(
      acc.lines.map(line => line.name),
      ['Rank 0']
    );
    const system = systemCharts(curves.series, 100);
    assert.deepEqual(
      system.map(chart => [chart.id, chart.lines[0].x]),
      [['cpu', [0]]]
    );
  });

  test('over time, ranks that reported a moment apart still have a mean', () => {
    const curves = new Curves();
    curves.add(
      page(1, {
        '0:loss': [
          [0, 10, 1],
          [1, 11, 3]
        ],
        '1:loss': [
          [0, 10.1, 3],
          [1, 11.2, 5]
        ]
      })
    );
    const [chart] = metricCharts(curves.series, 10, { ...CURVE_OPTIONS, x: 'time' }, WORDS);
    const main = chart.lines[chart.lines.length - 1];
    assert.deepEqual(
      [main.x, main.y],
      [
        [0, 1],
        [2, 4]
      ]
    );
  });

  test('steps that were reported again after a resume count once, the later one', () => {
    const curves = new Curves();
    curves.add(
      page(1, {
        '0:loss': [
          [0, 1, 9],
          [1, 2, 8],
          [2, 3, 7],
          [1, 9, 6],
          [2, 10, 5]
        ]
      })
    );
    const [chart] = metricCharts(curves.series, 0, CURVE_OPTIONS, WORDS);
    assert.deepEqual(
      [chart.lines[0].x, chart.lines[0].y],
      [
        [0, 1, 2],
        [9, 6, 5]
      ]
    );
  });

  test('smoothed ones show faintly what was reported', () => {
    const curves = new Curves();
    curves.add(
      page(1, {
        '0:loss': [
          [0, 1, 1],
          [1, 2, 0]
        ]
      })
    );
    const [chart] = metricCharts(curves.series, 0, { ...CURVE_OPTIONS, smoothing: 0.5 }, WORDS);
    assert.deepEqual(
      chart.lines.map(line => line.weight),
      ['faint', 'main']
    );
  });
});

describe('a feed', () => {
  function started(answers: () => ICurvesPage) {
    const clock = new Clock();
    const asked: number[] = [];
    const feed = new CurvesFeed({
      read: async since => {
        asked.push(since);
        return answers();
      },
      later: clock.later
    });
    return { clock, asked, feed };
  }

  test('asks once a second for what is new while it is followed', async () => {
    let cursor = 0;
    const { clock, asked, feed } = started(() => {
      cursor += 1;
      return page(cursor, { '0:loss': [[cursor, cursor, 1]] });
    });
    let heard = 0;
    feed.changed.connect(() => (heard += 1));
    feed.follow(true);
    await clock.go(3_500);
    assert.deepEqual(asked, [0, 1, 2, 3]);
    assert.equal(heard, 4);
    assert.equal(feed.curves.series[0].times.length, 4);
    feed.pause();
    await clock.go(60_000);
    assert.equal(asked.length, 4);
  });

  test('of a job that ended it reads what was still on its way, then stops', async () => {
    const { clock, asked, feed } = started(() => page(1, {}));
    feed.follow(true);
    await clock.go(1_500);
    feed.follow(false);
    await clock.go(60_000);
    assert.equal(asked.length, 3);
    assert.equal(clock.waiting, 0);
  });

  test('a finished job is read once', async () => {
    const { clock, asked, feed } = started(() => page(1, { '0:loss': [[0, 1, 1]] }));
    feed.follow(false);
    await clock.go(60_000);
    assert.equal(asked.length, 1);
    assert.ok(feed.loaded);
  });

  test('keeps what it has while the server is away, and goes on after', async () => {
    let away = false;
    const { clock, feed } = started(() => {
      if (away) {
        throw new KubeflowError('away', { status: 0 });
      }
      return page(1, { '0:loss': [[0, 1, 1]] });
    });
    feed.follow(true);
    await clock.go(10);
    away = true;
    await clock.go(2_000);
    assert.equal(feed.error?.message, 'away');
    assert.equal(feed.curves.series.length, 1);
    away = false;
    await clock.go(2_000);
    assert.equal(feed.error, null);
  });
});
