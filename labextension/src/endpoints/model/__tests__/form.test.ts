import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { FormValues } from '../form';
import {
  endpointName,
  formBody,
  formProblems,
  incomplete,
  modelText,
  SERVE_DEFAULTS,
  whatFits
} from '../form';
import { random, ROUNDS, TEXT } from './random';

function values(more: Record<string, string | boolean>): FormValues {
  return { ...SERVE_DEFAULTS, model: 'iris', ...more };
}

describe('problems', () => {
  const cases: [string, string, boolean][] = [
    ['endpoint', 'iris-2', true],
    ['endpoint', 'Iris', false],
    ['endpoint', 'x'.repeat(54), false],
    ['replicas', '0:3', true],
    ['replicas', '2', true],
    ['replicas', '0', false],
    ['replicas', '3:1', false],
    ['replicas', '0:0', false],
    ['cpu', '500m', true],
    ['cpu', 'much', false],
    ['memory', '4 Gi', false],
    ['idle', '10m', true],
    ['idle', 'never', false],
    ['sticky', 'header:x-user', true],
    ['sticky', 'body:user.id', true],
    ['sticky', 'x-user', false],
    ['sticky', 'header:x user', false],
    ['sticky', 'body:.id', false],
    ['env', 'A = 1\nB=2', true],
    ['env', 'A', false]
  ];
  for (const [name, text, good] of cases) {
    test(`${name} “${text.slice(0, 14)}”`, () =>
      assert.deepEqual(
        Object.keys(formProblems(values({ [name]: text }), TEXT)),
        good ? [] : [name]
      ));
  }

  test('a share is asked for only beside another', () => {
    assert.deepEqual(formProblems(values({ percent: '101' }), TEXT), {});
    const beside = formProblems(values({ place: 'beside', percent: '101' }), TEXT);
    assert.deepEqual(Object.keys(beside), ['percent']);
  });

  test('without a model there is nothing to serve', () => {
    assert.ok(incomplete(values({ model: ' ' }), TEXT));
    assert.equal(incomplete(values({}), TEXT), null);
  });
});

describe('the request', () => {
  test('says only what was said', () => {
    assert.deepEqual(formBody(values({})), { model: 'iris' });
  });

  test('says everything in its type', () => {
    const body = formBody(
      values({
        version: '3',
        endpoint: 'flowers',
        place: 'beside',
        percent: '0',
        replicas: '0:3',
        cpu: '500m',
        idle: '10m',
        sticky: 'header:x-user',
        log: 'some',
        rules: 'roll back if errors > 2 %\n\n roll back if p99 > 200 ms over 5 minutes',
        env: 'A = 1',
        explain: true
      })
    );
    assert.deepEqual(body, {
      model: 'iris:3',
      endpoint: 'flowers',
      replicas: '0:3',
      resources: { cpu: '500m' },
      env: { A: '1' },
      idle: 600,
      sticky: 'header:x-user',
      log: { sample: 0.1 },
      rules: ['roll back if errors > 2 %', 'roll back if p99 > 200 ms over 5 minutes'],
      explain: true,
      percent: 0
    });
  });

  test('a version, an alias, or the newest', () => {
    assert.equal(modelText(values({ version: '3' })), 'iris:3');
    assert.equal(modelText(values({ version: '@champion' })), 'iris@champion');
    assert.equal(modelText(values({})), 'iris');
  });
});

test('any name of a model gives a name that an endpoint may have', () => {
  const next = random(31);
  const letters = 'aZ09-_ .éשם/@ßİ';
  for (let round = 0; round < ROUNDS; round++) {
    const model = Array.from(
      { length: Math.floor(next() * 90) },
      () => letters[Math.floor(next() * letters.length)]
    ).join('');
    const endpoint = endpointName(model);
    assert.deepEqual(formProblems(values({ endpoint }), TEXT), {}, `${model} → ${endpoint}`);
    assert.ok(endpoint);
  }
  assert.equal(endpointName('Iris Blüten 2'), 'iris-bluten-2');
});

test('what fits is said before the server says it', () => {
  const machine = { cpuMilli: 2000 };
  assert.match(whatFits(values({ replicas: '0:3', cpu: '3' }), machine, TEXT) ?? '', /refused/);
  assert.equal(
    whatFits(values({ replicas: '0:3', cpu: '1' }), machine, TEXT),
    '3 replicas at most: 2 of them run at once on this machine.'
  );
  assert.match(
    whatFits(values({ replicas: '2', cpu: '0.5' }), machine, TEXT) ?? '',
    /1 of 2 cores/
  );
  const busy = { cpuMilli: 2000, free: { cpuMilli: 500 } };
  assert.match(whatFits(values({ cpu: '1' }), busy, TEXT) ?? '', /0\.5 of 2 are free.* wait/);
  assert.equal(whatFits(values({}), null, TEXT), null);
});
