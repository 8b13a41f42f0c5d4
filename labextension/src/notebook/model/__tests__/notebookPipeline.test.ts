import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pass } from 'node:timers/promises';

import type { IPipeline } from '../../../model/types';
import * as edits from '../edits';
import type { Check } from '../notebookPipeline';
import { NotebookPipelineModel } from '../notebookPipeline';
import { MemoryNotebook, MemoryResources } from './memory';
import { code, pipeline, run, step, text } from './notebooks';

/** Reads the steps off the tags, as the server does; `slow` answers wait for `release`. */
function server(): { check: Check; calls: AbortSignal[]; release: () => void; slow: boolean } {
  const waiting: (() => void)[] = [];
  const self = {
    calls: [] as AbortSignal[],
    slow: false,
    release: () => waiting.splice(0).forEach(go => go()),
    check: async (path: string, content: object, signal: AbortSignal): Promise<IPipeline> => {
      self.calls.push(signal);
      const { cells } = content as MemoryNotebook;
      if (self.slow) {
        await new Promise<void>(resolve => waiting.push(resolve));
      }
      const steps = cells.flatMap(cell => {
        const tag = cell.tags.find(item => item.startsWith('step:'));
        return tag ? [step(tag.slice(5), [cell])] : [];
      });
      return pipeline(steps, {
        path,
        edges: steps.slice(1).map((item, index) => ({
          source: steps[index]!.name,
          target: item.name
        }))
      });
    }
  };
  return self;
}

/** Wait until it is so; a slow machine only makes it slower. */
async function until(so: () => boolean): Promise<void> {
  for (let round = 0; round < 400 && !so(); round += 1) {
    await pass(5);
  }
  assert.ok(so());
}

function setUp() {
  const notebook = new MemoryNotebook([
    code('a', 'x = 1', 'step:load'),
    code('b', 'y = x', 'step:train'),
    code('c', 'z = y', 'step:report')
  ]);
  const resources = new MemoryResources();
  const backend = server();
  const model = new NotebookPipelineModel({
    source: notebook,
    resources,
    check: backend.check,
    trans: text,
    pause: 5
  });
  return { notebook, resources, backend, model };
}

test('nothing is asked before somebody wants to see it', async () => {
  const { model, notebook, backend } = setUp();
  model.visible = true;
  notebook.write('a', code('a', 'x = 2', 'step:load'));
  await pass(15);
  assert.equal(backend.calls.length, 0);
  model.active = true;
  await until(() => model.pipeline?.steps.length === 3);
  assert.equal(backend.calls.length, 1);
  model.dispose();
});

test('typing is checked once, after a pause, and not while hidden', async () => {
  const { model, notebook, backend } = setUp();
  model.visible = true;
  model.active = true;
  await until(() => model.pipeline !== null);
  for (let index = 0; index < 5; index += 1) {
    notebook.write('a', code('a', `x = ${index + 10}`, 'step:load'));
  }
  await until(() => backend.calls.length > 1);
  assert.equal(backend.calls.length, 2);
  model.visible = false;
  notebook.write('a', code('a', 'x = 3', 'step:fetch'));
  await pass(25);
  assert.equal(backend.calls.length, 2);
  model.visible = true;
  await until(() => model.pipeline?.steps[0]?.name === 'fetch');
  model.dispose();
});

test('a change that is none, such as an output, asks nothing', async () => {
  const { model, notebook, backend } = setUp();
  model.visible = true;
  model.active = true;
  await until(() => model.pipeline !== null);
  notebook.changed.emit();
  await pass(25);
  assert.equal(backend.calls.length, 1);
  model.dispose();
});

test('an old answer never replaces a newer one', async () => {
  const { model, notebook, backend } = setUp();
  backend.slow = true;
  model.visible = true;
  model.active = true;
  notebook.write('a', code('a', '', 'step:fetch'));
  const second = model.checkNow();
  assert.ok(backend.calls[0]?.aborted);
  backend.release();
  await second;
  assert.equal(model.pipeline?.steps[0]?.name, 'fetch');
  assert.equal(model.checking, false);
  model.dispose();
});

test('without an answer the last pipeline stays, with the reason', async () => {
  const { notebook, resources, backend } = setUp();
  let away = false;
  const model = new NotebookPipelineModel({
    source: notebook,
    resources,
    trans: text,
    check: (...args) => (away ? Promise.reject(new Error('away')) : backend.check(...args))
  });
  await model.checkNow();
  away = true;
  await model.checkNow();
  assert.equal(model.pipeline?.steps.length, 3);
  assert.equal(model.trouble?.message, 'away');
  away = false;
  await model.checkNow();
  assert.equal(model.trouble, null);
  model.dispose();
});

test('the last run of this notebook is followed while it is seen', async () => {
  const { model, resources } = setUp();
  resources.put(run('other', 'other.ipynb', { load: 'FAILED' }));
  model.visible = true;
  model.active = true;
  await model.checkNow();
  assert.equal(model.chipOf('a', 0)?.state, null);
  resources.put(run('r1', '/srv/work/demo.ipynb', {}));
  assert.equal(model.chipOf('b', 0)?.state, 'PENDING');
  resources.put(run('r1', '/srv/work/demo.ipynb', { load: 'SUCCEEDED', train: 'RUNNING' }));
  assert.equal(model.chipOf('b', 0)?.state, 'RUNNING');
  const error = { message: 'no', cellId: 'b' };
  const failed = run('r1', '/srv/work/demo.ipynb', { load: 'SUCCEEDED' }, { phase: 'FAILED' });
  failed.status.steps?.push({ name: 'train', state: 'FAILED', error });
  resources.put(failed);
  assert.equal(model.failedCell(), 'b');
  resources.put(run('r2', '/srv/work/demo.ipynb', { load: 'RUNNING' }));
  assert.equal(model.failedCell(), null);
  assert.deepEqual(resources.watched, ['r2']);
  model.visible = false;
  assert.deepEqual(resources.watched, []);
  model.dispose();
});

test('the step under the pointer lights those before and after it', async () => {
  const { model } = setUp();
  model.visible = true;
  model.active = true;
  await model.checkNow();
  model.hovered = 'train';
  const lights = ['load', 'train', 'report'].map(step => model.lightOf(step));
  assert.deepEqual(lights, ['upstream', 'self', 'downstream']);
  model.hovered = null;
  assert.equal(model.lightOf('load'), null);
  model.dispose();
});

test('an edit is checked at once and can be taken back, unless the cell was edited since', async () => {
  const { model, notebook, backend } = setUp();
  model.visible = true;
  model.active = true;
  await model.checkNow();
  const calls = backend.calls.length;
  model.edit(edits.setStepName(model.place('load')!, 'fetch'));
  await until(() => model.pipeline?.steps[0]?.name === 'fetch');
  assert.equal(backend.calls.length, calls + 1);
  assert.ok(model.canUndo);
  model.undo();
  assert.deepEqual(notebook.cells[0]?.tags, ['step:load']);
  await until(() => model.step('load') !== null);
  model.edit(edits.setResource(model.place('load')!, 'cpu', '2'));
  notebook.write('a', code('a', 'x', 'step:mine'));
  model.undo();
  assert.deepEqual(notebook.cells[0]?.tags, ['step:mine']);
  model.dispose();
  assert.ok(notebook.isDisposed);
});
