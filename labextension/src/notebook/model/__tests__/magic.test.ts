import assert from 'node:assert/strict';
import { test } from 'node:test';

import { findMagic, magicName, magicOption, setMagicName, setMagicOption } from '../magic';

test('the line is found at the top of a cell, below blank lines, and nowhere else', () => {
  assert.deepEqual(findMagic('%%step train\nx = 1'), { start: 0, end: 12, text: '%%step train' });
  assert.equal(findMagic('\n\n%%step train --cpu 2')?.start, 2);
  assert.equal(findMagic('%%step')?.text, '%%step');
  assert.equal(findMagic('x = 1\n%%step train'), null);
  assert.equal(findMagic('%%steps train'), null);
  assert.equal(findMagic('# %%step train'), null);
});

const LINES: [string, string, string | null, string][] = [
  ['%%step train', '--cpu', '2', '%%step train --cpu 2'],
  ['%%step train --cpu 2 --retry 1', '--cpu', '4', '%%step train --cpu 4 --retry 1'],
  ['%%step train --cpu 2 --retry 1', '--cpu', null, '%%step train --retry 1'],
  ['%%step train --retry 1', '--cpu', null, '%%step train --retry 1'],
  ['%%step train --cpu=2', '--cpu', '500m', '%%step train --cpu 500m'],
  ['%%step t --if "n > 3"', '--if', 'n > 4', '%%step t --if "n > 4"'],
  ['%%step t', '--if', 'mode == "a b"', `%%step t --if 'mode == "a b"'`],
  ['%%step t  --cpu  2', '--memory', '4Gi', '%%step t  --cpu  2 --memory 4Gi'],
  ['%%step t --cpuset x', '--cpu', '1', '%%step t --cpuset x --cpu 1'],
  ['%%step t --cache --cpu 1', '--cache', 'off', '%%step t --cache off --cpu 1']
];

for (const [line, flag, value, expected] of LINES) {
  test(`${line} with ${flag} ${value}`, () => {
    const edited = setMagicOption(line, flag, value);
    assert.equal(edited, expected);
    assert.equal(magicOption(edited, flag), value);
  });
}

test('a value keeps its meaning whatever quotes it has', () => {
  for (const value of ['a b', '"', "it's", `"a" 'b'`, 'back\\slash', 'x in [1, 2]', 'a\\"b c']) {
    assert.equal(magicOption(setMagicOption('%%step t', '--if', value), '--if'), value);
  }
});

test('the name is the first word that is no option', () => {
  assert.equal(magicName('%%step train --cpu 2'), 'train');
  assert.equal(magicName('%%step --cpu 2'), null);
  assert.equal(setMagicName('%%step  train --cpu 2', 'fit'), '%%step  fit --cpu 2');
  assert.equal(setMagicName('%%step --cpu 2', 'fit'), '%%step fit --cpu 2');
  assert.equal(setMagicName('%%step', 'fit'), '%%step fit');
});
