import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { parseJson, pretty } from '../json';
import type { Json } from '../../../model/types';
import { random, ROUNDS, TEXT } from './random';

function value(next: () => number, depth = 0): Json {
  const kind = Math.floor(next() * (depth > 3 ? 5 : 7));
  switch (kind) {
    case 0:
      return null;
    case 1:
      return next() < 0.5;
    case 2:
      return Math.round(next() * 1e6) / 1e3;
    case 3:
      return ['', 'a "b"', 'é\n\u0001', '\\', 'שלום', '{'][Math.floor(next() * 6)];
    case 4:
      return -(next() * 1e-20);
    case 5:
      return Array.from({ length: Math.floor(next() * 4) }, () => value(next, depth + 1));
    default:
      return Object.fromEntries(
        Array.from({ length: Math.floor(next() * 4) }, (_, index) => [
          `k${index}`,
          value(next, depth + 1)
        ])
      );
  }
}

describe('JSON as typed', () => {
  test('what is drawn is read back the same', () => {
    const next = random(11);
    for (let round = 0; round < ROUNDS; round++) {
      const given = value(next);
      assert.deepEqual(parseJson(pretty(given), TEXT), { value: given });
    }
  });

  test('a text with something broken in it is refused where it first can be', () => {
    const next = random(12);
    for (let round = 0; round < ROUNDS; round++) {
      const text = pretty(value(next));
      const at = Math.floor(next() * (text.length + 1));
      const broken = text.slice(0, at) + '§' + text.slice(at);
      const found = parseJson(broken, TEXT);
      if ('problem' in found) {
        const { position, line, column } = found.problem;
        assert.ok(position <= at + 1, `${position} in ${broken}`);
        assert.equal(line, broken.slice(0, position).split('\n').length);
        assert.ok(column >= 1);
      } else {
        // Inside of a string it is a letter like others.
        assert.ok(broken.includes('"'));
      }
    }
  });

  const cases: [string, number, number][] = [
    ['', 1, 1],
    ['{', 1, 2],
    ['[1, 2,]', 1, 7],
    ['{"a": 1,\n "b" 2}', 2, 6],
    ["{'a': 1}", 1, 2],
    ['[1] x', 1, 5],
    ['[01]', 1, 3],
    ['[NaN]', 1, 2],
    ['{"instances": [[1, 2], [3, 4]', 1, 30]
  ];
  for (const [text, line, column] of cases) {
    test(`${JSON.stringify(text)} stops at ${line}:${column}`, () => {
      const found = parseJson(text, TEXT);
      assert.ok('problem' in found);
      assert.deepEqual([found.problem.line, found.problem.column], [line, column]);
    });
  }

  test('nesting without an end is refused, not fatal', () => {
    const found = parseJson('['.repeat(100_000), TEXT);
    assert.ok('problem' in found);
  });

  test('rows of numbers stay rows', () => {
    const body = {
      instances: [
        [5.1, 3.5],
        [6.2, 2.9]
      ]
    };
    assert.equal(pretty(body), '{\n  "instances": [\n    [5.1, 3.5],\n    [6.2, 2.9]\n  ]\n}');
  });
});
