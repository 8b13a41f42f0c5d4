import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { FormValues } from '../form';
import {
  cellSource,
  formBody,
  formProblems,
  incomplete,
  pairs,
  TRAIN_DEFAULTS,
  whatFits
} from '../form';

function format(text: string, ...values: unknown[]): string {
  return text.replace(/%(\d)/g, (_, at: string) => String(values[Number(at) - 1]));
}

const TRANS = {
  __: (text: string, ...values: unknown[]) => format(text, ...values),
  _n: (one: string, many: string, count: number) => format(count === 1 ? one : many, count)
};

function values(more: Record<string, string | boolean>): FormValues {
  return { ...TRAIN_DEFAULTS, source: 'print(1)', ...more };
}

describe('pairs', () => {
  const cases: [string, Record<string, unknown>][] = [
    ['lr = 0.1\nepochs=10', { lr: 0.1, epochs: 10 }],
    ['name = resnet', { name: 'resnet' }],
    ['a = [1, 2]\nb = {"x": null}\n\n# off = 1', { a: [1, 2], b: { x: null } }],
    ['a = True\nb = None\nc = true', { a: true, b: null, c: true }],
    ["a = '12'", { a: '12' }],
    ['url = http://x/?a=b', { url: 'http://x/?a=b' }]
  ];
  for (const [text, expected] of cases) {
    test(JSON.stringify(text), () =>
      assert.deepEqual(pairs(text), { values: expected, wrong: null })
    );
  }

  for (const text of ['lr', '= 1', 'a = 1\na = 2', 'two words = 1']) {
    test(`${JSON.stringify(text)} is refused`, () => assert.ok(pairs(text).wrong));
  }
});

describe('problems', () => {
  const cases: [string, string, boolean][] = [
    ['nodes', '2', true],
    ['nodes', '1:4', true],
    ['nodes', '0', false],
    ['nodes', '4:1', false],
    ['nodes', 'two', false],
    ['procs', '0', false],
    ['cpu', '0.5', true],
    ['cpu', '500m', true],
    ['cpu', 'much', false],
    ['memory', '4Gi', true],
    ['memory', '4 Gi', false],
    ['deadline', '2h', true],
    ['deadline', '2 hours', false],
    ['name', 'fit-1', true],
    ['name', 'Fit', false],
    ['name', 'x'.repeat(64), false],
    ['args', 'lr=0.1', true],
    ['args', 'lr', false],
    ['register', 'churn', true],
    ['register', 'churn model@champion-1', true],
    ['register', '@champion', false],
    ['register', 'churn@', false],
    ['register', 'churn@a@b', false],
    ['register', 'churn@two words', false]
  ];
  for (const [name, text, good] of cases) {
    test(`${name} “${text.slice(0, 12)}”`, () => {
      assert.deepEqual(
        Object.keys(formProblems(values({ [name]: text }), TRANS)),
        good ? [] : [name]
      );
    });
  }

  test('nothing to run is said', () => {
    assert.ok(incomplete(values({ source: ' ' }), TRANS));
    assert.ok(incomplete(values({ code: 'file' }), TRANS));
    assert.equal(incomplete(values({ code: 'file', path: 'a.py' }), TRANS), null);
  });
});

describe('the request', () => {
  test('says only what was said', () => {
    assert.deepEqual(formBody(values({})), {
      source: 'print(1)',
      framework: 'torch',
      nodes: 1,
      procs: 1
    });
  });

  test('says everything in its type', () => {
    const body = formBody(
      values({
        code: 'file',
        path: 'train.py',
        function: 'fit',
        nodes: '1:4',
        procs: '2',
        args: 'lr = 0.1',
        env: 'A = 1',
        packages: 'torch, pandas',
        cpu: '2',
        memory: '4Gi',
        deadline: '2h',
        restarts: '3',
        register: ' churn@champion ',
        checkpoint: true
      })
    );
    assert.deepEqual(body, {
      path: 'train.py',
      function: 'fit',
      framework: 'torch',
      nodes: '1:4',
      procs: 2,
      resources: { cpu: '2', memory: '4Gi' },
      packages: ['torch', 'pandas'],
      args: { lr: 0.1 },
      env: { A: '1' },
      deadline: 7200,
      restarts: 3,
      register: 'churn@champion',
      checkpoint: true
    });
  });

  test('what fits is said before the server says it', () => {
    const machine = { cpuMilli: 2000 };
    assert.match(
      whatFits(values({ nodes: '2' }), machine, TRANS) ?? '',
      /2 processes on 2 of 2 cores/
    );
    assert.match(whatFits(values({ nodes: '3', cpu: '1' }), machine, TRANS) ?? '', /refused/);
    const busy = { cpuMilli: 2000, free: { cpuMilli: 500 } };
    assert.match(whatFits(values({}), busy, TRANS) ?? '', /0\.5 of 2 are free.* wait/);
    assert.match(whatFits(values({ nodes: '1:3', cpu: '1' }), machine, TRANS) ?? '', /refused/);
    assert.equal(whatFits(values({}), null, TRANS), null);
  });

  test('a cell goes without its magic', () => {
    assert.equal(cellSource('%%train --nodes 2\nx = 1\n'), 'x = 1\n');
    assert.equal(cellSource('x = 1'), 'x = 1');
  });
});
