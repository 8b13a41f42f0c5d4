import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ICellEdit, ICellText } from '../cells';
import { applies, edited, inverseAll } from '../cells';
import type { IStepPlace } from '../edits';
import * as edits from '../edits';
import * as roles from '../roles';
import { code, markdown, pipeline, step } from './notebooks';

function apply(cells: readonly ICellText[], list: readonly ICellEdit[]): ICellText[] {
  return list.reduce(
    (now, edit) =>
      now.map(cell => {
        if (cell.id !== edit.id) {
          return cell;
        }
        assert.ok(applies(edit, cell));
        return edited(cell, edit);
      }),
    [...cells]
  );
}

function tagged(): IStepPlace {
  const cells = [
    code('a', 'import numpy', 'imports'),
    code('b', 'x = 1', 'step:load', 'limit:cpu:1'),
    code('c', 'x += 1'),
    code('d', 'y = x', 'step:train', 'prev:load')
  ];
  const load = step('load', [cells[1]!, cells[2]!]);
  const train = step('train', [cells[3]!]);
  return { cells, pipeline: pipeline([load, train]), step: load };
}

function withMagic(): IStepPlace {
  const cells = [
    code('b', '%%step load --cpu 1\nx = 1'),
    code('d', '%%step train --after load,other\ny = x')
  ];
  const [load, train] = [step('load', [cells[0]!]), step('train', [cells[1]!])];
  return { cells, pipeline: pipeline([load, train], { grammar: 'magic' }), step: load };
}

function tags(cells: readonly ICellText[], id: string): readonly string[] {
  return cells.find(cell => cell.id === id)?.tags ?? [];
}

function source(cells: readonly ICellText[], id: string): string {
  return cells.find(cell => cell.id === id)?.source ?? '';
}

test('tags: an amount is replaced where it stands, added at the end, taken away', () => {
  const place = tagged();
  const more = apply(place.cells, edits.setResource(place, 'cpu', '2'));
  assert.deepEqual(tags(more, 'b'), ['step:load', 'limit:cpu:2']);
  const gpu = apply(place.cells, edits.setResource(place, 'gpu', '1'));
  assert.deepEqual(tags(gpu, 'b'), ['step:load', 'limit:cpu:1', 'limit:nvidia.com/gpu:1']);
  const none = apply(place.cells, edits.setResource(place, 'cpu', null));
  assert.deepEqual(tags(none, 'b'), ['step:load']);
});

test('tags: an option on a later cell of the step is the same option', () => {
  const place = tagged();
  const cells = place.cells.map(cell =>
    cell.id === 'c' ? { ...cell, tags: ['limit:memory:1Gi'] } : cell
  );
  const after = apply(cells, edits.setResource({ ...place, cells }, 'memory', '4Gi'));
  assert.deepEqual(tags(after, 'c'), []);
  assert.deepEqual(tags(after, 'b'), ['step:load', 'limit:cpu:1', 'limit:memory:4Gi']);
});

test('tags: a GPU of another make stays of that make', () => {
  const place = tagged();
  const cells = place.cells.map(cell =>
    cell.id === 'b' ? { ...cell, tags: ['step:load', 'limit:amd.com/gpu:1'] } : cell
  );
  const after = apply(cells, edits.setResource({ ...place, cells }, 'gpu', '2'));
  assert.deepEqual(tags(after, 'b'), ['step:load', 'limit:amd.com/gpu:2']);
});

test('tags: renaming follows to the steps that come after', () => {
  const place = tagged();
  const after = apply(place.cells, edits.setStepName(place, 'read'));
  assert.deepEqual(tags(after, 'b'), ['step:read', 'limit:cpu:1']);
  assert.deepEqual(tags(after, 'd'), ['step:train', 'prev:read']);
});

test('tags: order, cache, retries, limit, condition and loop', () => {
  const place = tagged();
  const one = apply(place.cells, edits.setAfter(place, ['a', 'b']));
  assert.deepEqual(tags(one, 'b'), ['step:load', 'limit:cpu:1', 'prev:a', 'prev:b']);
  const rest: [ICellEdit[], string][] = [
    [edits.setCache(place, false), 'cache:disabled'],
    [edits.setRetry(place, 2), 'retry:2'],
    [edits.setTimeLimit(place, 90), 'timeout:90'],
    [edits.setCondition(place, 'n > 3'), 'if:n > 3'],
    [edits.setForeach(place, 'x in xs'), 'for:x in xs']
  ];
  for (const [list, tag] of rest) {
    assert.deepEqual(tags(apply(place.cells, list), 'b'), ['step:load', 'limit:cpu:1', tag]);
  }
  assert.deepEqual(edits.setRetry(place, 0), []);
});

test('magic: options change on the line, renaming follows in --after', () => {
  const place = withMagic();
  const cpu = apply(place.cells, edits.setResource(place, 'cpu', '4'));
  assert.equal(source(cpu, 'b'), '%%step load --cpu 4\nx = 1');
  const off = apply(place.cells, edits.setCache(place, false));
  assert.equal(source(off, 'b'), '%%step load --cpu 1 --cache off\nx = 1');
  const named = apply(place.cells, edits.setStepName(place, 'read'));
  assert.equal(source(named, 'b'), '%%step read --cpu 1\nx = 1');
  assert.equal(source(named, 'd'), '%%step train --after read,other\ny = x');
});

test('magic: the edit touches only what differs, so that cursors stay', () => {
  const place = withMagic();
  assert.deepEqual(edits.setResource(place, 'cpu', '16'), [
    { id: 'b', text: { start: 19, from: '', to: '6' } }
  ]);
});

test('headings: renaming changes the heading', () => {
  const cells = [markdown('h', 'Intro\n\n## Train the model ##\ntext'), code('a', 'x = 1')];
  const fit = step('train-the-model', [cells[1]!], { title: 'Train the model' });
  const place = { cells, pipeline: pipeline([fit], { grammar: 'headings' }), step: fit };
  const after = apply(cells, edits.setStepName(place, 'Fit'));
  assert.equal(source(after, 'h'), 'Intro\n\n## Fit ##\ntext');
});

test('every edit has an inverse', () => {
  for (const place of [tagged(), withMagic()]) {
    const lists = [
      edits.setStepName(place, 'read'),
      edits.setAfter(place, ['x']),
      edits.setResource(place, 'cpu', null),
      edits.setForeach(place, 'x in [1, 2]')
    ];
    for (const list of lists) {
      const back = apply(apply(place.cells, list), inverseAll(list));
      assert.deepEqual(back, [...place.cells]);
    }
  }
});

test('an edit for a cell that changed meanwhile is recognised', () => {
  const place = tagged();
  const [edit] = edits.setResource(place, 'cpu', '2');
  assert.ok(edit && !applies(edit, { ...place.cells[1]!, tags: ['step:other'] }));
  const [text] = edits.setResource(withMagic(), 'cpu', null);
  assert.ok(text && !applies(text, code('b', '%%step x')));
});

test('cells: naming one step names them all, so that none swallows the next', () => {
  const cells = [code('a', 'x = 1'), code('b', 'y = x')];
  const steps = [step('cell-1', [cells[0]!]), step('cell-2', [cells[1]!])];
  const place = { cells, pipeline: pipeline(steps, { grammar: 'cells' }), step: steps[1]! };
  const after = apply(cells, edits.setStepName(place, 'train'));
  assert.deepEqual(tags(after, 'a'), ['step:cell-1']);
  assert.deepEqual(tags(after, 'b'), ['step:train']);
});

test('magic: a tag that says the same goes with the line', () => {
  const cells = [{ ...code('a', '%%step a --cpu 2'), tags: ['limit:cpu:1', 'mine'] }];
  const a = step('a', cells);
  const place = { cells, pipeline: pipeline([a], { grammar: 'magic' }), step: a };
  const after = apply(cells, edits.setResource(place, 'cpu', null));
  assert.deepEqual(after, [{ ...cells[0]!, source: '%%step a', tags: ['mine'] }]);
});

test('roles are Kale’s tags, and never change how a notebook of headings is read', () => {
  const cell = code('a', 'x = 1', 'mine', 'imports');
  const tagsGrammar = pipeline([]);
  const headings = pipeline([], { grammar: 'headings' });
  assert.equal(roles.roleOf(cell), 'imports');
  const skip = apply([cell], roles.setRole(cell, 'skip', tagsGrammar));
  assert.deepEqual(tags(skip, 'a'), ['mine', 'skip']);
  const asStep = apply([cell], roles.setRole(cell, 'step', tagsGrammar));
  assert.deepEqual(tags(asStep, 'a'), ['mine']);
  assert.deepEqual(roles.rolesOf(headings), ['step', 'parameters', 'skip']);
  const given = apply([cell], roles.setRole(cell, 'parameters', headings));
  assert.deepEqual(tags(given, 'a'), ['mine', 'parameters']);
});

test('a step is started as the notebook says it', () => {
  const cell = code('a', 'x = 1');
  const byTag = apply([cell], roles.startStep(cell, 'fit', pipeline([])));
  assert.deepEqual(tags(byTag, 'a'), ['step:fit']);
  const line = apply([cell], roles.startStep(cell, 'fit', pipeline([], { grammar: 'magic' })));
  assert.equal(source(line, 'a'), '%%step fit\nx = 1');
});
