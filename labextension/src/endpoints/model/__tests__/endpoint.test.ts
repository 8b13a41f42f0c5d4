import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import {
  changeText,
  parseSticky,
  problemText,
  rollbackText,
  stickyProblem,
  stickyText
} from '../changes';
import {
  endpointNote,
  failedVariant,
  healthOf,
  inForce,
  mirrorOf,
  splitOf,
  splitText,
  variantsOf,
  whyNot
} from '../endpoint';
import type { IEndpoint, IEndpointStatus, IVariant } from '../types';
import { TEXT } from './random';

function endpoint(
  status: Partial<IEndpointStatus>,
  annotations: Record<string, string> = {}
): IEndpoint {
  return {
    kind: 'InferenceService',
    metadata: { name: 'iris', uid: 'u', resourceVersion: 1, annotations },
    spec: {},
    status: { phase: 'RUNNING', ...status }
  };
}

const v1: IVariant = { name: 'v1', percent: 90, model: 'iris', version: '1', state: 'ready' };
const v2: IVariant = { name: 'v2', percent: 10, model: 'iris', version: '2', state: 'ready' };

describe('how it stands', () => {
  const cases: [Partial<IEndpointStatus>, string][] = [
    [{ variants: [v1, v2] }, 'serving'],
    [{ variants: [v1, { ...v2, state: 'failed' }] }, 'mixed'],
    [{ variants: [v1, { ...v2, state: 'loading' }] }, 'mixed'],
    [{ variants: [{ ...v1, state: 'asleep' }] }, 'asleep'],
    [{ variants: [], phase: 'PENDING' }, 'starting'],
    [{ variants: [v1], phase: 'FAILED' }, 'failed'],
    [{ variants: [v1], phase: 'CANCELED' }, 'stopped'],
    [{ variants: [v1, { ...v2, state: 'retired' }] }, 'serving'],
    [{}, 'serving']
  ];
  cases.forEach(([status, health], index) =>
    test(`${health} (${index})`, () => assert.equal(healthOf(endpoint(status)), health))
  );

  test('a model that could not be loaded is named with its error', () => {
    const error = { type: 'ValueError', message: 'no such tree', traceback: 'line 1' };
    const failed = { ...v2, state: 'failed', reason: 'it does not load' };
    const broken = (more: Partial<IVariant>, location = 'v2') =>
      failedVariant(
        endpoint({
          variants: [v1, { ...failed, ...more }],
          modelStatus: { lastFailureInfo: { location, message: 'exit 3' } }
        })
      );
    assert.deepEqual(broken({ error }), {
      name: 'v2',
      message: 'ValueError: no such tree',
      traceback: 'line 1'
    });
    assert.equal(broken({})?.message, 'exit 3');
    assert.equal(broken({}, 'v9')?.message, 'it does not load');
    assert.equal(failedVariant(endpoint({ variants: [v1] })), null);
  });

  test('while a change is not ready, what is in force is told', () => {
    const revision = (number: number, traffic: Record<string, number>) => ({
      number,
      time: '',
      what: '',
      traffic
    });
    const revisions = [revision(1, { v1: 100 }), revision(2, { v1: 90, v2: 10 })];
    assert.deepEqual(inForce(endpoint({ revisions, servingRevision: 1 })), [
      { name: 'v1', percent: 100 }
    ]);
    assert.equal(inForce(endpoint({ revisions, servingRevision: 2 })), null);
    assert.equal(inForce(endpoint({ revisions })), null);
    const item = endpoint({ variants: [v2, { ...v1, leaving: true }] });
    assert.deepEqual(variantsOf(item), [v2]);
  });

  test('a row says what serves, or why it does not', () => {
    assert.equal(
      endpointNote(endpoint({ variants: [v1, v2] }), TEXT),
      'iris:1 90\u00a0%, iris:2 10\u00a0%'
    );
    assert.equal(endpointNote(endpoint({ variants: [{ ...v1, percent: 100 }] }), TEXT), 'iris:1');
    const waits = endpoint({ phase: 'PENDING', reason: 'Waiting for 1 GPU.' });
    assert.equal(endpointNote(waits, TEXT), 'Waiting for 1 GPU.');
  });

  test('what only waits to be rolled back to takes no part', () => {
    const item = endpoint({ variants: [v1, v2, { ...v2, name: 'v0', state: 'retired' }] });
    assert.deepEqual(
      variantsOf(item).map(({ name }) => name),
      ['v1', 'v2']
    );
    assert.equal(splitText(splitOf(item)), 'v1\u00a090\u00a0%, v2\u00a010\u00a0%');
  });

  test('annotations that nobody can read count as none', () => {
    const name = 'jupyter-kubeflow.org/mirror';
    assert.equal(mirrorOf(endpoint({}, { [name]: '{"variant"' })), null);
    assert.equal(mirrorOf(endpoint({}, { [name]: '{"variant": "v3", "percent": 0}' })), null);
    assert.deepEqual(mirrorOf(endpoint({}, { [name]: '{"variant": "v3", "percent": 20}' })), {
      variant: 'v3',
      percent: 20
    });
  });

  test('what cannot be done says why', () => {
    assert.equal(whyNot('stop', endpoint({}), TEXT), null);
    assert.ok(whyNot('start', endpoint({}), TEXT));
    assert.ok(whyNot('stop', endpoint({ phase: 'CANCELED' }), TEXT));
    assert.equal(whyNot('start', endpoint({}, { 'serving.kserve.io/stop': 'true' }), TEXT), null);
    assert.ok(whyNot('rollback', endpoint({ revisions: [] }), TEXT));
    assert.equal(whyNot('rollback', endpoint({}), TEXT), null);
  });
});

describe('what will change', () => {
  const now = splitOf(endpoint({ variants: [v1, v2] }));
  const next = now.map(({ name }) => ({ name, percent: 50 }));

  test('is said with how much moves', () => {
    assert.equal(changeText(now, now, 12, TEXT), null);
    assert.equal(
      changeText(now, next, 12, TEXT),
      'v2 takes 50 % instead of 10 %, v1 takes 50 % instead of 90 %: about 4.8 of 12 requests a second move.'
    );
    assert.match(changeText(now, next, 0, TEXT) ?? '', /instead of 90 %\.$/);
  });

  test('so is what is wrong', () => {
    assert.match(problemText({ kind: 'more', sum: 105, by: 5 }, TEXT), /105 %: take 5 away/);
    assert.match(problemText({ kind: 'less', sum: 90, by: 10 }, TEXT), /90 %: add 10/);
  });

  test('and what a roll back brings', () => {
    const revision = { number: 4, time: '', what: 'v1 100 %', traffic: { v1: 100 } };
    assert.equal(
      rollbackText(now, revision, TEXT),
      'Back to revision 4: v1 takes 100 % instead of 90 %, v2 goes.'
    );
    assert.match(rollbackText(now, { ...revision, traffic: {} }, TEXT), /as they were then/);
  });

  test('and who stays where', () => {
    assert.deepEqual(parseSticky('header:x-user'), { where: 'header', name: 'x-user' });
    assert.deepEqual(parseSticky(''), { where: '', name: '' });
    assert.equal(stickyText('header:a', 'header:a', TEXT), null);
    assert.match(stickyText('', 'body:user.id', TEXT) ?? '', /same field user\.id/);
    assert.match(stickyText('query:u', '', TEXT) ?? '', /by chance/);
    assert.equal(stickyProblem('query:user', TEXT), null);
    assert.ok(stickyProblem('query:', TEXT));
    assert.ok(stickyProblem('header:a b', TEXT));
  });
});
