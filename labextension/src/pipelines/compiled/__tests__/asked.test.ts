import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { IAsked } from '../../../graph/outline';
import type { Json } from '../../../model/types';
import { defaults, read } from '../asked';

function asked(type: string, value: Json = null, more: Partial<IAsked> = {}): IAsked {
  return { name: 'x', type, required: false, default: value, literals: [], ...more };
}

describe('what is typed is read as its type', () => {
  const cases: [string, string, Json | undefined][] = [
    ['STRING', '  as it is ', '  as it is '],
    ['NUMBER_INTEGER', ' -3 ', -3],
    ['NUMBER_INTEGER', '', undefined],
    ['NUMBER_DOUBLE', '1e-3', 0.001],
    ['BOOLEAN', 'false', false],
    ['LIST', '[1, "a"]', [1, 'a']],
    ['STRUCT', '{"fault": "mine"}', { fault: 'mine' }],
    ['ARTIFACT', 'data/part.csv', 'data/part.csv']
  ];
  for (const [type, text, value] of cases) {
    test(`${type} ${text}`, () => {
      assert.deepEqual(read([asked(type)], { x: text }), {
        values: value === undefined ? {} : { x: value },
        faults: {}
      });
    });
  }
  const wrong: [string, string, string][] = [
    ['NUMBER_INTEGER', '1.5', 'integer'],
    ['NUMBER_DOUBLE', 'many', 'number'],
    ['LIST', '{"a": 1}', 'list'],
    ['STRUCT', '[1]', 'mapping'],
    ['STRUCT', 'a: 1', 'mapping']
  ];
  for (const [type, text, fault] of wrong) {
    test(`${type} ${text} is refused`, () => {
      assert.deepEqual(read([asked(type)], { x: text }), { values: {}, faults: { x: fault } });
    });
  }
});

test('what keeps its default is not given; what is required must be', () => {
  const fields = [
    asked('NUMBER_INTEGER', 5),
    asked('LIST', [1, 2], { name: 'list' }),
    asked('BOOLEAN', true, { name: 'flag' }),
    asked('STRING', null, { name: 'need', required: true })
  ];
  const first = defaults(fields);
  assert.deepEqual(first, { x: '5', list: '[1,2]', flag: true, need: '' });
  assert.deepEqual(read(fields, first), { values: {}, faults: { need: 'missing' } });
  assert.deepEqual(read(fields, { ...first, flag: false, need: 'a' }).values, {
    flag: false,
    need: 'a'
  });
  assert.equal(read(fields, { ...first, x: '' }).faults.x, 'integer');
});
