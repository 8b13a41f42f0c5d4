import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { RunState } from '../../../model/types';
import type { SparkAction } from '../app';
import {
  askedOf,
  executorsOf,
  executorState,
  isIdle,
  note,
  program,
  SCHEDULED,
  SESSION,
  sessionCell,
  shape,
  whyNot
} from '../app';
import { leased, sparkBytes } from '../memory';
import type { ISpark } from '../types';
import { app, TRANS } from './resource';

const GIB = 2 ** 30;
const MIB = 2 ** 20;

describe('memory in the words of Spark', () => {
  const cases: [string, number | null][] = [
    ['512m', 512 * MIB],
    ['2g', 2 * GIB],
    ['1Gi', GIB],
    ['1 GB', GIB],
    ['600', 600 * MIB],
    ['', null],
    ['1.5g', null],
    ['2x', null],
    ['much', null]
  ];
  for (const [text, size] of cases) {
    test(JSON.stringify(text), () => assert.equal(sparkBytes(text), size));
  }
});

describe('what is leased', () => {
  test('one executor is part of the driver', () => {
    const asked = { executors: 1, cores: 4, memory: GIB, driverMemory: GIB };
    assert.deepEqual(leased(asked), { cores: 4, memory: 2 * GIB + 384 * MIB });
  });

  test('several are processes of their own', () => {
    const asked = { executors: 2, cores: 3, memory: GIB, driverMemory: GIB };
    assert.deepEqual(leased(asked), { cores: 6, memory: 3 * (GIB + 384 * MIB) });
  });

  test('a large heap takes a tenth beside it', () => {
    const asked = { executors: 1, cores: 1, memory: 9 * GIB, driverMemory: GIB };
    assert.deepEqual(leased(asked), { cores: 1, memory: 11 * GIB });
  });

  test('what is left out has the defaults of the API', () => {
    const asked = { executors: 1, cores: 1, memory: GIB, driverMemory: GIB, driverCores: 1 };
    assert.deepEqual(askedOf(app('RUNNING', {}, { spec: {} })), asked);
  });
});

describe('a row', () => {
  const session = { kind: SESSION };
  const cases: [string, ISpark, string][] = [
    [
      'waits and says why',
      app('PENDING', { reason: 'Waiting for 2 cores.' }),
      'Waiting for 2 cores.'
    ],
    ['runs', app('RUNNING', { progress: 0.4, reason: 'x' }), '40 % · 2 × 1 core · 1g'],
    ['runs and knows no task', app('RUNNING'), '2 × 1 core · 1g'],
    ['failed', app('FAILED', { reason: 'ValueError: x' }), 'ValueError: x'],
    [
      'gave something back',
      app('SUCCEEDED', { reason: 'Done.', result: { text: '42\nmore' } }),
      '2 × 1 core · 1g · 42'
    ],
    ['session at rest', app('RUNNING', { progress: 1 }, session), 'ready · 2 × 1 core · 1g'],
    ['session at work', app('RUNNING', { progress: 0.5 }, session), '50 % · 2 × 1 core · 1g']
  ];
  for (const [name, item, expected] of cases) {
    test(name, () => assert.equal(note(item, TRANS), expected));
  }

  test('only a session is idle, and only while it runs', () => {
    assert.ok(isIdle(app('RUNNING', { progress: 1 }, session)));
    assert.ok(!isIdle(app('RUNNING', { progress: 0.5 }, session)));
    assert.ok(!isIdle(app('PENDING', {}, session)));
    assert.ok(!isIdle(app('RUNNING', { progress: 1 })));
  });

  test('one executor is not counted', () => {
    const spec = { executor: { cores: 4, memory: '2g' } };
    assert.equal(shape(app('RUNNING', {}, { spec }), TRANS), '4 cores · 2g');
  });

  test('what runs has the name of the function, the class or the file', () => {
    assert.equal(program(app('RUNNING')), 'prepare.py');
    assert.equal(program(app('RUNNING', {}, { annotations: { entry: 'busiest' } })), 'busiest');
  });
});

describe('executors', () => {
  test('the driver comes first, then by number', () => {
    const executors = ['10', '2', 'driver'].map(id => ({ id, state: 'RUNNING' }));
    const ids = executorsOf(app('RUNNING', { executors })).map(({ id }) => id);
    assert.deepEqual(ids, ['driver', '2', '10']);
  });

  test('none of what is over still runs', () => {
    const each = { id: '1', state: 'RUNNING' };
    assert.equal(executorState(each, app('RUNNING')), 'RUNNING');
    assert.equal(executorState(each, app('FAILED')), 'CANCELED');
    assert.equal(executorState({ id: '1', state: 'FAILED' }, app('RUNNING')), 'FAILED');
  });
});

describe('what can be done', () => {
  const running = { sparkApplicationId: 'local-1' };
  const allowed: [RunState, Partial<ISpark['status']>, SparkAction[]][] = [
    ['PENDING', {}, ['stop']],
    ['RUNNING', {}, ['stop']],
    ['RUNNING', running, ['stop', 'ui']],
    ['CANCELING', running, []],
    ['SUCCEEDED', running, ['delete']],
    ['FAILED', {}, ['delete']]
  ];
  for (const [phase, status, actions] of allowed) {
    test(`${phase} ${Object.keys(status).join()}`, () => {
      const all: SparkAction[] = ['stop', 'delete', 'ui'];
      const item = app(phase, status);
      assert.deepEqual(
        all.filter(action => whyNot(action, item, TRANS) === null),
        actions
      );
    });
  }

  test('a schedule is paused, resumed and deleted at any time', () => {
    const schedule = { kind: SCHEDULED };
    assert.equal(whyNot('delete', app('RUNNING', {}, schedule), TRANS), null);
    assert.ok(whyNot('suspend', app('PAUSED', {}, schedule), TRANS));
    assert.ok(whyNot('resume', app('RUNNING', {}, schedule), TRANS));
  });
});

test('the first step names a session only where it is not the usual one', () => {
  assert.match(sessionCell(), /spark = kf\.spark\.session\(\)/);
  assert.match(sessionCell('other'), /kf\.spark\.session\("other"\)/);
});
