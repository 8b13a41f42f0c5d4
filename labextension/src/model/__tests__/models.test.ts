import { looksLikeModel } from '../values';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { whyNot } from '../actions';
import { deltas, extremes, sections, shares } from '../comparison';
import { diffLines, hunks, parseUnified } from '../diff';
import { itemFilter, metricNames, RUNS, sortItems } from '../filter';
import { LogBuffer } from '../logbuffer';
import { ticks, timeline } from '../timeline';
import type { IRun, RunState } from '../types';

function run(name: string, phase: RunState, more: Partial<IRun['status']> = {}): IRun {
  return {
    kind: 'Run',
    metadata: { name, uid: name, resourceVersion: 1, creationTimestamp: `2026-01-0${name.length}` },
    spec: {
      pipeline: { name: 'Tour', path: 'a/tour.ipynb' },
      parameters: { lr: 0.1, kind: 'big' }
    },
    status: { phase, ...more }
  };
}

describe('values', () => {
  for (const type of [
    'sklearn.linear_model._logistic.LogisticRegression',
    'LogisticRegression',
    'xgboost.core.Booster',
    'torch.nn.modules.container.Sequential',
    '__main__.TinyNet'
  ]) {
    test(`${type} may be a model`, () => assert.ok(looksLikeModel(type)));
  }
  for (const type of [
    'int',
    'pandas.core.frame.DataFrame',
    'sklearn.preprocessing.StandardScaler',
    ''
  ]) {
    test(`${type || 'nothing'} is none`, () => assert.ok(!looksLikeModel(type)));
  }
});

describe('filter', () => {
  const found = (query: string) =>
    [run('a', 'FAILED'), run('bb', 'RUNNING'), run('ccc', 'SUCCEEDED')]
      .filter(itemFilter(query, RUNS))
      .map(item => item.metadata.name);
  const cases: [string, string[]][] = [
    ['', ['a', 'bb', 'ccc']],
    ['failed', ['a']],
    ['RUNNING', ['bb']],
    ['active', ['bb']],
    ['tour', ['a', 'bb', 'ccc']],
    ['TOUR.ipynb ccc', ['ccc']],
    ['lr=0.1', ['a', 'bb', 'ccc']],
    ['lr=0.2', []],
    ['kind=b failed', ['a']],
    ['failed running', []]
  ];
  for (const [query, names] of cases) {
    test(`“${query}”`, () => assert.deepEqual(found(query), names));
  }

  test('states are found by their translated word', () => {
    const pass = itemFilter('gescheitert', RUNS, state =>
      state === 'FAILED' ? 'Gescheitert' : state
    );
    assert.ok(pass(run('a', 'FAILED')));
    assert.ok(!pass(run('a', 'RUNNING')));
  });

  test('runs without the value come last in both directions', () => {
    const runs = [
      run('a', 'RUNNING'),
      run('b', 'SUCCEEDED', { seconds: 2 }),
      run('c', 'SUCCEEDED', { seconds: 1 })
    ];
    const names = (down: boolean) =>
      sortItems(runs, item => item.status.seconds, down).map(item => item.metadata.name);
    assert.deepEqual(names(true), ['b', 'c', 'a']);
    assert.deepEqual(names(false), ['c', 'b', 'a']);
  });

  test('the most frequent metrics come first', () => {
    const runs = [
      run('a', 'RUNNING', { metrics: { x: 1 } }),
      run('b', 'RUNNING', { metrics: { y: 1, x: 2 } })
    ];
    assert.deepEqual(metricNames(runs.map(item => item.status.metrics ?? {})), ['x', 'y']);
  });
});

describe('actions', () => {
  const cases: [Parameters<typeof whyNot>[0], RunState, ReturnType<typeof whyNot>][] = [
    ['stop', 'RUNNING', null],
    ['stop', 'SUCCEEDED', 'finished'],
    ['stop', 'CANCELING', 'stopping'],
    ['resume', 'FAILED', null],
    ['resume', 'CANCELED', null],
    ['resume', 'SUCCEEDED', 'succeeded'],
    ['resume', 'RUNNING', 'unfinished'],
    ['rerun', 'RUNNING', null],
    ['delete', 'RUNNING', 'unfinished'],
    ['export', 'FAILED', null]
  ];
  for (const [action, phase, why] of cases) {
    test(`${action} while ${phase}`, () => assert.equal(whyNot(action, run('a', phase)), why));
  }

  test('a pipeline that was compiled has no notebook to export', () => {
    const item = run('a', 'SUCCEEDED');
    const compiled = { ...item, spec: { ...item.spec, pipeline: { name: 'p', format: 'kfp' } } };
    assert.equal(whyNot('export', compiled), null);
    assert.equal(whyNot('rerun', compiled), null);
  });
});

describe('log', () => {
  test('lines may come in any pieces', () => {
    const log = new LogBuffer();
    'one\ntwo\nthr'.split('').forEach(letter => log.append(letter));
    log.append('ee');
    assert.deepEqual(
      [0, 1, 2].map(i => log.line(i)),
      ['one', 'two', 'three']
    );
    assert.equal(log.count, 3);
  });

  test('a carriage return writes the line anew, colours are left out', () => {
    const log = new LogBuffer();
    log.append('10 %\r50 %\r100 %\n\u001b[31mred\u001b[0m\r\nnext');
    assert.deepEqual(
      [0, 1, 2].map(i => log.line(i)),
      ['100 %', 'red', 'next']
    );
  });

  test('keeps the last lines and says how many went', () => {
    const log = new LogBuffer(100);
    for (let i = 0; i < 1050; i++) {
      log.append(`line ${i}\n`);
    }
    assert.equal(log.count, 100);
    assert.equal(log.dropped, 950);
    assert.equal(log.line(0), 'line 950');
    assert.equal(log.line(99), 'line 1049');
  });

  test('finds text in any case, and the last traceback', () => {
    const log = new LogBuffer();
    log.append(
      'Epoch 1\nTraceback (most recent call last):\n  File "x"\nValueError: no\nepoch 2\n'
    );
    assert.deepEqual(log.search('EPOCH'), [0, 4]);
    assert.equal(log.lastError(), 1);
    assert.equal(new LogBuffer().lastError(), -1);
  });

  test('a million lines are taken in a moment and kept in bounds', () => {
    const log = new LogBuffer();
    const block = 'some text of a usual length for a log line\n'.repeat(1000);
    for (let i = 0; i < 1000; i++) {
      log.append(block);
    }
    assert.equal(log.count, 200_000);
    assert.equal(log.dropped, 800_000);
  });
});

describe('diff', () => {
  const kinds = (a: string, b: string) =>
    diffLines(a, b).map(line => ({ same: ' ', added: '+', removed: '-' })[line.kind] + line.text);

  test('equal texts have no changes', () => {
    assert.deepEqual(kinds('a\nb', 'a\nb'), [' a', ' b']);
    assert.deepEqual(hunks(diffLines('a\nb', 'a\nb')), [null]);
  });

  test('a changed line is removed and added', () => {
    assert.deepEqual(kinds('a\nb\nc', 'a\nx\nc'), [' a', '-b', '+x', ' c']);
  });

  test('both texts can be had back from the lines', () => {
    const texts = ['a\nb\nc\nd', '', 'b\nb\nq\nd\ne', 'd\nc\nb\na', 'a'];
    for (const a of texts) {
      for (const b of texts) {
        const lines = diffLines(a, b);
        const side = (skip: string) =>
          lines
            .filter(l => l.kind !== skip)
            .map(l => l.text)
            .join('\n');
        assert.equal(side('added'), a);
        assert.equal(side('removed'), b);
      }
    }
  });

  test('a unified diff is read with its line numbers', () => {
    const lines = parseUnified('--- \n+++ \n@@ -3,2 +3,2 @@\n same\n-old\n+new\n');
    assert.deepEqual(lines, [
      null,
      { kind: 'same', text: 'same', old: 3, new: 3 },
      { kind: 'removed', text: 'old', old: 4, new: null },
      { kind: 'added', text: 'new', old: null, new: 4 }
    ]);
  });
});

describe('timeline', () => {
  test('bars lie between start and end; what never ran is said', () => {
    const status: Partial<IRun['status']> = {
      startTime: '2026-01-01T00:00:00Z',
      completionTime: '2026-01-01T00:00:10Z',
      criticalPath: ['a'],
      steps: [
        {
          name: 'a',
          state: 'FAILED',
          queuedAt: '2026-01-01T00:00:01Z',
          startedAt: '2026-01-01T00:00:02Z',
          finishedAt: '2026-01-01T00:00:09Z'
        },
        { name: 'b', state: 'PENDING' }
      ]
    };
    const { bars, from, to } = timeline(run('a', 'FAILED', status), Date.now());
    assert.equal(to - from, 10_000);
    assert.ok(bars[0].critical && !bars[0].left);
    assert.ok(bars[1].left && bars[1].started === null);
  });

  test('marks are round and not too many', () => {
    assert.deepEqual(ticks(10, 6), [0, 2, 4, 6, 8, 10]);
    assert.ok(ticks(0.03, 6).length <= 7);
    assert.ok(ticks(86400 * 30, 6).length <= 12);
  });
});

describe('comparison', () => {
  const row = (section: string, name: string, ...values: (number | null)[]) => ({
    section,
    name,
    values,
    differs: values.some(value => value !== values[0])
  });

  test('differing rows come first, and alone if wished', () => {
    const rows = [
      row('metrics', 'same', 1, 1),
      row('metrics', 'loss', 1, 2),
      row('seconds', 'a', 3, 3)
    ];
    const names = (only: boolean) =>
      sections(rows, only).map(section => [section.name, section.rows.map(each => each.name)]);
    assert.deepEqual(names(false), [
      ['metrics', ['loss', 'same']],
      ['seconds', ['a']]
    ]);
    assert.deepEqual(names(true), [['metrics', ['loss']]]);
  });

  test('bars, marks and differences', () => {
    assert.deepEqual(shares([1, 2, null]), [0.5, 1, null]);
    assert.deepEqual(extremes([1, 2, null]), { most: [1], least: [0] });
    assert.deepEqual(extremes([2, 2]), { most: [], least: [] });
    assert.deepEqual(deltas([1, 3, null, 1]), [null, 2, null, null]);
  });
});
