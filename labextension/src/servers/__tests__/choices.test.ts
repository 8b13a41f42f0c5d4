import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { ENGLISH } from '../../tuning/model/__tests__/text';
import { chosen, fieldsOf, judged, startValues, withValue } from '../choices';
import type { IFormState } from '../model/types';

const STATE: IFormState = {
  image: [{ key: 'base', title: 'Science', checked: true }],
  size: [
    { key: 'small', title: 'Small', description: '1 CPU, 2 GB' },
    {
      key: 'large',
      title: 'Large',
      disabled: true,
      reason: 'The quota has 1 CPU left.',
      checked: true
    },
    { key: 'other', title: 'Own size' }
  ],
  accelerator: [
    { key: 'none', title: 'None', checked: true },
    { key: 'a100', title: 'A100', counts: [1, 2], text: '3 fit now' }
  ],
  count: [{ key: '1' }, { key: '2' }],
  summary: { verdict: 'This fits.', disabled: false }
};
const names = (values: Record<string, string>) =>
  fieldsOf(STATE, values, ENGLISH).map(({ name }) => name);

describe('choices of a stopped server', () => {
  test('start from its own, and from the Hub’s where those are gone', () => {
    assert.deepEqual(startValues({ size: 'small', accelerator: 'a100', count: 2 }, STATE), {
      image: 'base',
      size: 'small',
      accelerator: 'a100',
      count: '2'
    });
    assert.equal(startValues({ size: 'gone' }, STATE).size, 'large');
    assert.deepEqual(startValues({}, {}), {});
  });

  test('are asked only where there is something to choose', () => {
    assert.deepEqual(names({ size: 'small', accelerator: 'none' }), [
      'size',
      'accelerator',
      'count'
    ]);
    assert.deepEqual(names({ size: 'other', accelerator: 'none' }), [
      'size',
      'cpu',
      'memory',
      'accelerator',
      'count'
    ]);
    assert.deepEqual(fieldsOf({ image: STATE.image }, {}, ENGLISH), []);
    const [size] = fieldsOf(STATE, { size: 'large' }, ENGLISH);
    assert.equal(size.help, 'The quota has 1 CPU left.');
    assert.deepEqual(size.choices?.[1], ['large', 'Large (not now)']);
  });

  test('keep what is not asked, and answer only what belongs together', () => {
    const before = {
      namespace: 'team',
      data: ['sets'],
      size: 'other',
      cpu: '2',
      memory: '4Gi',
      accelerator: 'a100',
      count: 2
    };
    const values = {
      image: 'base',
      size: 'small',
      cpu: '2',
      memory: '4Gi',
      accelerator: 'none',
      count: '2'
    };
    assert.deepEqual(chosen(before, values, STATE), {
      namespace: 'team',
      data: ['sets'],
      image: 'base',
      size: 'small',
      accelerator: 'none'
    });
    assert.deepEqual(chosen({}, { size: 'other', cpu: ' 2 ', memory: '4Gi' }, STATE), {
      size: 'other',
      cpu: '2',
      memory: '4Gi'
    });
  });

  test('another accelerator is asked for in its least number', () => {
    assert.equal(withValue({ accelerator: 'none', count: '2' }, 'accelerator', 'a100').count, '');
    assert.equal(withValue({ size: 'small', count: '2' }, 'size', 'large').count, '2');
  });

  test('are judged at the field where the problem is', () => {
    const fields = fieldsOf(STATE, { size: 'other' }, ENGLISH);
    const wrong = { ...STATE, problem: { field: 'cpu', text: '9 is too much.' } };
    assert.deepEqual(judged(wrong, fields).problems, { cpu: '9 is too much.' });
    assert.equal(judged(wrong, fields).refused, '9 is too much.');
    assert.deepEqual(judged(STATE, fields), { problems: {}, fits: 'This fits.', refused: null });
    const busy = { ...STATE, summary: { verdict: 'This cannot be had now.', disabled: true } };
    assert.equal(judged(busy, fields).refused, 'This cannot be had now.');
    assert.equal(
      judged({ empty: { title: 'No', note: 'No profile.' } }, []).refused,
      'No profile.'
    );
  });
});
