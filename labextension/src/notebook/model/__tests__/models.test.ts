import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { IParameter, IProblem } from '../../../model/types';
import { chip, sameChip } from '../chips';
import { fixEdits, fixLabel, renameName } from '../fixes';
import { cellSteps, neighbours, origins, problemsByCell } from '../graph';
import { asText, changedValues, fields, parse } from '../parameters';
import * as quantities from '../../../model/quantities';
import { failure, failureCell, latestRun, samePath, shortError, stepRuns } from '../runs';
import { code, pipeline, run, step, text } from './notebooks';

const A = code('a', 'x = 1');
const B = code('b', 'y = x');
const B2 = code('b2', 'y += 1');
const C = code('c', 'z = 2');
const DIAMOND = pipeline(
  [
    step('load', [A], { writes: ['x'] }),
    step('left', [B, B2], { reads: ['x'], writes: ['y'] }),
    step('right', [C], { writes: ['z'] }),
    step('join', [code('d', 'y + z')], { reads: ['y', 'z', 'w'] })
  ],
  {
    edges: [
      { source: 'load', target: 'left', names: ['x'] },
      { source: 'load', target: 'right', kind: 'order' },
      { source: 'left', target: 'join', names: ['y'] },
      { source: 'right', target: 'join', names: ['z'] }
    ]
  }
);

test('a cell knows its step, and the first one carries the name', () => {
  const cells = cellSteps(DIAMOND);
  assert.equal(cells.get('b')?.first, true);
  assert.equal(cells.get('b2')?.first, false);
  assert.equal(cells.get('b2')?.step.name, 'left');
  assert.equal(cells.get('d')?.order, 3);
});

test('neighbours are all steps before and after, not the ones beside', () => {
  const { upstream, downstream } = neighbours(DIAMOND, 'left');
  assert.deepEqual([...upstream], ['load']);
  assert.deepEqual([...downstream], ['join']);
  assert.deepEqual([...neighbours(DIAMOND, 'join').upstream].sort(), ['left', 'load', 'right']);
});

test('a value read is told with the step that made it', () => {
  assert.deepEqual(origins(DIAMOND, DIAMOND.steps[3]!), [
    { name: 'y', from: 'left' },
    { name: 'z', from: 'right' },
    { name: 'w', from: null }
  ]);
});

test('errors come before warnings at a cell', () => {
  const problems: IProblem[] = [
    { severity: 'warning', code: 'w', message: 'w', cellId: 'a' },
    { severity: 'error', code: 'e', message: 'e', cellId: 'a' }
  ];
  const found = problemsByCell({ ...DIAMOND, problems });
  assert.deepEqual(
    found.get('a')?.map(problem => problem.code),
    ['e', 'w']
  );
});

test('the newest run of a path, whether stored absolute or relative', () => {
  const runs = [run('r3', '/home/me/nb/a.ipynb', {}), run('r2', 'b.ipynb', {})];
  assert.equal(latestRun(runs, 'nb/a.ipynb')?.metadata.name, 'r3');
  assert.equal(latestRun(runs, 'b.ipynb')?.metadata.name, 'r2');
  assert.equal(latestRun(runs, 'a'), null);
  assert.ok(!samePath('xa.ipynb', 'a.ipynb'));
  assert.ok(!samePath(undefined, 'a.ipynb'));
});

test('repetitions are counted at their step', () => {
  const found = run('r', 'a', { train: 'RUNNING' });
  found.status.steps?.push(
    { name: 'train[0]', parent: 'train', state: 'SUCCEEDED' },
    { name: 'train[1]', parent: 'train', state: 'RUNNING' }
  );
  assert.deepEqual(stepRuns(found).get('train')?.rounds, { done: 1, all: 2 });
  assert.equal(stepRuns(found).size, 1);
});

test('a failure is shown at its cell, or at the first cell of its step', () => {
  const error = { type: 'ValueError', message: 'no rows', cellId: 'b2', line: 3 };
  const failed = run('r', 'a', {}, { phase: 'FAILED' });
  failed.status.steps = [{ name: 'left', state: 'FAILED', error }];
  const found = failure(failed);
  assert.equal(found?.step, 'left');
  assert.equal(failureCell(found!, DIAMOND, ['a', 'b', 'b2']), 'b2');
  assert.equal(failureCell(found!, DIAMOND, ['a', 'b']), 'b');
  assert.equal(failureCell(found!, null, ['a']), null);
  assert.equal(shortError(error), 'ValueError: no rows');
  assert.equal(failure(run('r', 'a', { left: 'SUCCEEDED' }, { phase: 'SUCCEEDED' })), null);
});

test('a chip says what ran and how long, and is drawn again only if it says something else', () => {
  const place = cellSteps(DIAMOND).get('b')!;
  const done = { state: 'SUCCEEDED', seconds: 1.25, startedAt: null, cached: false } as const;
  const ran = { ...done, reason: '', rounds: null };
  const one = chip(place, ran, [], 0, text);
  assert.equal(one.time, '1.3 s');
  assert.equal(one.label, 'Step left, succeeded in 1.3 s');
  assert.equal(one.title, 'Step left, succeeded in 1.3 s\nReads x\nWrites y');
  assert.ok(sameChip(one, chip(place, ran, [], 9999, text)));
  assert.ok(!sameChip(one, chip(place, { ...ran, cached: true }, [], 0, text)));
  const going = { ...ran, state: 'RUNNING' as const, startedAt: '2024-01-01T00:00:00Z' };
  const at = Date.parse('2024-01-01T00:01:05Z');
  assert.equal(chip(place, going, [], at, text).time, '1:05');
});

const PARAMETERS: IParameter[] = [
  { name: 'n', type: 'int', default: 10, cell: 1, line: 1 },
  { name: 'lr', type: 'float', default: 1, cell: 1, line: 2 },
  { name: 'name', type: 'str', default: 'a b', cell: 1, line: 3 },
  { name: 'fast', type: 'bool', default: true, cell: 1, line: 4 },
  { name: 'sizes', type: 'list', default: [1, 2], cell: 1, line: 5 }
];

test('the form gives only what differs, typed', () => {
  const drafts = { n: '12', lr: '1.0', fast: 'false', sizes: "(3, 'x', None)" };
  const list = fields(PARAMETERS, drafts, text);
  assert.deepEqual(changedValues(list, text), { n: 12, fast: false, sizes: [3, 'x', null] });
});

test('a mistake is told at its field and nothing is given', () => {
  const list = fields(PARAMETERS, { n: '1.5' }, text);
  assert.equal(list[0]?.problem, 'A whole number, such as 10.');
  assert.equal(list[1]?.problem, null);
  assert.equal(changedValues(list, text), null);
});

test('values are spelled as in Python and read back the same', () => {
  const value = { a: [1, 2.5, null, true], 'b c': 'd"e' };
  assert.deepEqual(parse(asText(value, 'dict'), 'dict', text), { value });
  assert.deepEqual(parse('[1, [2], {"a": (3,)},]', 'list', text), { value: [1, [2], { a: [3] }] });
  for (const wrong of ['', '[', '[1', '1', '[a]', '{1: 2}', '[1] 2', ':', '[,]']) {
    assert.ok('problem' in parse(wrong, 'list', text), wrong);
  }
});

test('amounts with units', () => {
  assert.equal(quantities.parseCpu('0.5'), 500);
  assert.equal(quantities.parseCpu('500m'), 500);
  assert.equal(quantities.parseCpu('0'), null);
  assert.equal(quantities.parseMemory('4Gi'), 4 * 2 ** 30);
  assert.equal(quantities.parseMemory('4 Gi'), null);
  assert.equal(quantities.parseDuration('10m'), 600);
  assert.match(quantities.checkMemory('4', text) ?? '', /did you mean 4Gi/);
  assert.equal(quantities.checkMemory('512Mi', text), null);
  assert.ok(quantities.checkGpu('0.5', text));
  assert.ok(quantities.checkForeach('x of xs', text));
  assert.equal(quantities.checkForeach('x, y in pairs', text), null);
  assert.ok(quantities.checkName('a b', [], text));
  assert.ok(quantities.checkName('load', ['load'], text));
  assert.equal(quantities.checkName('train_2', ['load'], text), null);
});

test('a wrong name is mended where it is a name', () => {
  const cell = code('a', 'trian = 1\nprint(trian, "trian", o.trian)  # trian\nf(trian=trian)');
  const [edit] = renameName(cell, 'trian', 'train');
  const { start, from, to } = edit!.text!;
  const after = cell.source.slice(0, start) + to + cell.source.slice(start + from.length);
  assert.equal(after, 'train = 1\nprint(train, "trian", o.trian)  # trian\nf(trian=train)');
});

test('a remedy has a verb and edits, or neither', () => {
  const rename = {
    severity: 'error',
    code: 'undefined',
    message: '',
    cell: 2,
    fix: { action: 'rename', from: 'x', to: 'z' }
  } as const;
  assert.equal(fixLabel(rename, text), 'Rename to z');
  assert.equal(fixEdits(rename, [A, B])[0]?.id, 'b');
  const tag = { ...rename, cellId: 'a', fix: { action: 'add-tag', tag: 'imports' } };
  assert.equal(fixLabel(tag, text), 'Add to imports');
  assert.deepEqual(fixEdits(tag, [A, B])[0]?.tags?.to, ['imports']);
  assert.equal(fixLabel({ ...rename, fix: null }, text), null);
  assert.deepEqual(fixEdits({ ...tag, cellId: 'gone', cell: null }, [A, B]), []);
});
