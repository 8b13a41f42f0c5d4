import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { ENGLISH } from '../../../tuning/model/__tests__/text';
import {
  checkServerName,
  imageWords,
  inOrder,
  matches,
  newForm,
  shapeOf,
  sizeWords,
  startCode,
  stopQuestion,
  warningWords,
  whyNot
} from '../server';
import type { IFormState, IIdle } from '../types';
import { server } from './servers';

const LEFT: IFormState = {
  image: [{ key: 'base', title: 'Science' }],
  size: [{ key: 'small', title: 'Small' }],
  accelerator: [
    { key: 'none', title: 'None' },
    { key: 'nvidia-a100', title: 'NVIDIA A100' }
  ]
};
const WARNED: IIdle = {
  action: 'warn',
  words: 'It has been idle for 51 min. It is stopped in 9 min.',
  stopsAt: '2026-01-01T12:09:00Z',
  idleSince: '2026-01-01T11:09:00Z'
};

describe('a server', () => {
  test('is described by what was chosen, in the words of the form', () => {
    const words = (options: object) => sizeWords({ ...options }, LEFT, ENGLISH);
    assert.equal(words({ size: 'small', accelerator: 'none' }), 'Small');
    assert.equal(
      words({ size: 'small', accelerator: 'nvidia-a100', count: 2 }),
      'Small · 2 × NVIDIA A100'
    );
    assert.equal(words({ size: 'other', cpu: '2', memory: '4Gi' }), '2 CPU, 4Gi');
    assert.equal(words({}), '');
    assert.equal(words({ size: { evil: 1 }, accelerator: ['x'] }), '');
    assert.equal(sizeWords({ size: 'gone', accelerator: 'tpu' }, null, ENGLISH), 'gone · tpu');
    assert.equal(imageWords({ image: 'base' }, LEFT), 'Science');
    assert.equal(imageWords({ image: 'other', image_other: 'a/b:1' }, LEFT), 'a/b:1');
  });

  test('has another shape in each state', () => {
    const shapes = (['running', 'starting', 'stopping', 'stopped'] as const).map(state =>
      shapeOf(server('a', { state }))
    );
    assert.equal(new Set(shapes).size, 4);
    assert.equal(shapeOf(server('a', { state: 'starting', words: 'Waiting.' })), 'PENDING');
  });

  test('can be done with what its state allows, and says why not', () => {
    const can = (more: object, ...actions: ('open' | 'start' | 'stop' | 'resize' | 'keep')[]) =>
      actions.filter(action => !whyNot(action, server('a', more), ENGLISH));
    const all = ['open', 'start', 'stop', 'resize', 'keep'] as const;
    assert.deepEqual(can({ state: 'running' }, ...all), ['open', 'stop']);
    assert.deepEqual(can({ state: 'running', isCurrent: true }, ...all), ['stop']);
    assert.deepEqual(can({ state: 'stopped' }, ...all), ['start', 'resize']);
    assert.deepEqual(can({ state: 'starting' }, ...all), ['stop']);
    assert.deepEqual(can({ state: 'stopping' }, ...all), []);
    assert.deepEqual(can({ idle: WARNED }, ...all), ['open', 'stop', 'keep']);
    assert.deepEqual(
      can({ idle: { ...WARNED, idleSince: null } }, 'keep'),
      [],
      'too old is too old'
    );
  });

  test('is asked about before it is stopped, where something is lost', () => {
    assert.match(stopQuestion(server('', {}), ENGLISH) ?? '', /This page ends/);
    assert.match(stopQuestion(server('gpu', {}), ENGLISH) ?? '', /“gpu”/);
    assert.equal(stopQuestion(server('gpu', { state: 'starting' }), ENGLISH), null);
  });

  test('comes first when it is this one, then those in use', () => {
    const names = inOrder([
      server('b10', { state: 'stopped' }),
      server('z', {}),
      server('b9', { state: 'stopped' }),
      server('', {}),
      server('a', { state: 'starting' })
    ]).map(({ name }) => name);
    assert.deepEqual(names, ['', 'a', 'z', 'b9', 'b10']);
  });

  test('is found by every word of a filter', () => {
    assert.ok(matches(server('gpu-one', {}), 'GPU small', 'Running Small'));
    assert.ok(!matches(server('gpu-one', {}), 'gpu large', 'Running Small'));
  });
});

describe('a new server', () => {
  test('has a name that the Hub takes', () => {
    for (const name of ['gpu', 'a', 'a-1', 'x'.repeat(40)]) {
      assert.equal(checkServerName(name, [], ENGLISH), null, name);
    }
    for (const name of [
      '',
      ' ',
      'A',
      'a_b',
      '-a',
      'a-',
      'x'.repeat(41),
      '../a',
      'ä',
      'a b',
      'a\nb'
    ]) {
      assert.ok(checkServerName(name, [], ENGLISH), name);
    }
    assert.ok(checkServerName('gpu', ['gpu'], ENGLISH));
  });

  test('has its page below that of the default server', () => {
    assert.equal(newForm([server(''), server('x')], 'gpu'), '/hub/spawn/ana/gpu');
    assert.equal(newForm([server('x')], 'gpu'), null);
  });

  test('is started by code that says the same', () => {
    assert.equal(
      startCode('gpu', { size: 'small', count: 2, data: ['a'], home: null }),
      'from jupyter_ext import servers\n\nservers.start("gpu", {"size": "small", "count": 2, "data": ["a"], "home": None})'
    );
  });
});

test('the warning in the notebook says when and why, within the length of a toast', () => {
  const words = warningWords(server('', { idle: WARNED }), ENGLISH);
  assert.match(words, /idle for 51 min/);
  assert.match(words, /stopped, at \d\d:09/);
  assert.ok(words.length <= 140, String(words.length));
  assert.equal(
    warningWords(server('', { idle: { action: 'warn', words: 'Soon.' } }), ENGLISH),
    'Soon.'
  );
});
