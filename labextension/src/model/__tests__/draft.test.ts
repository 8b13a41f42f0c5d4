import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { draftProblems, refusal } from '../draft';
import { KubeflowError } from '../errors';

describe('what a draft says', () => {
  test('stands at the field it is about', () => {
    const problems = [
      { field: 'resources.cpu', message: 'too many' },
      { field: 'resources.gpu[0]', message: 'none is free' },
      { field: 'args.lr', message: 'not a number', hint: 'Give 0.1.' },
      { field: 'rules[2]', message: 'unclear' }
    ];
    assert.deepEqual(draftProblems({ problems }), {
      cpu: 'too many',
      gpu: 'none is free',
      args: 'not a number Give 0.1.',
      rules: 'unclear'
    });
  });

  test('about nothing in particular stands where the form says', () => {
    const problems = [{ message: 'It cannot be read. Look again.', hint: 'Look again.' }];
    assert.deepEqual(draftProblems({ problems }, 'path'), {
      path: 'It cannot be read. Look again.'
    });
    const about = [{ field: 'uri', message: 'there is none' }];
    assert.deepEqual(draftProblems({ problems: about }, 'path', { uri: 'path' }), {
      path: 'there is none'
    });
  });

  test('is nothing while nothing is known', () => {
    assert.deepEqual(draftProblems(null, 'path'), {});
    assert.deepEqual(draftProblems({}), {});
  });
});

describe('a refused draft', () => {
  const refused = (status: number, field?: string) =>
    new KubeflowError('no', { status, where: { field }, hint: 'Try it.' });

  test('is an answer about its field', () => {
    assert.deepEqual(refusal(refused(400, 'name')), {
      problems: [{ field: 'name', message: 'no', hint: 'Try it.' }]
    });
  });

  test('of no field goes where the form says, or nowhere', () => {
    assert.deepEqual(refusal(refused(422)), {});
    assert.equal(refusal(refused(422), 'model').problems?.[0].field, 'model');
  });

  test('is no refusal when the server or the way to it failed', () => {
    for (const error of [refused(500, 'name'), refused(0, 'name'), new Error('away'), 'away']) {
      assert.deepEqual(refusal(error, 'name'), {});
    }
  });
});
