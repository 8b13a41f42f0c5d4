import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { IDraft } from '../draft';
import { bodyOf, EMPTY_DRAFT, metricsIn, problemsOf, pythonOf, settingsOf } from '../draft';
import { assignments, functionsOf, items, literal, scalar } from '../python';
import type { IRow } from '../space';
import { combinations, EMPTY_ROW, listed, rowCode, rowOf, rowProblems, rowText } from '../space';
import { ENGLISH } from './text';

const SOURCE = `
"""def hidden(a): pass"""
import math

def train(
    lr: float = 0.01,  # def no(x):
    layers: int = 2,
    *,
    optimizer: Literal["sgd", "adam, with decay"] = "sgd",
    shuffle=True, width=128,
    text: str = "a, (b",
    data=None,
    **rest,
) -> dict[str, float]:
    """Train once.

    More."""
    def inner(z): ...

class Model:
    def method(self): ...

def other(x, /): return x
def train_again(x: 'int' = 3): pass
`;

describe('functions of a source', () => {
  const found = functionsOf(SOURCE);

  test('those at the margin, not those in strings, classes or functions', () => {
    assert.deepEqual(
      found.map(each => each.name),
      ['train', 'other', 'train_again']
    );
    assert.equal(found[0].summary, 'Train once.');
  });

  test('arguments with annotation and default, whatever stands in strings and comments', () => {
    assert.deepEqual(
      found[0].arguments.map(each => [each.name, each.annotation, each.standard]),
      [
        ['lr', 'float', '0.01'],
        ['layers', 'int', '2'],
        ['optimizer', 'Literal["sgd", "adam, with decay"]', '"sgd"'],
        ['shuffle', null, 'True'],
        ['width', null, '128'],
        ['text', 'str', '"a, (b"'],
        ['data', null, 'None']
      ]
    );
    assert.deepEqual(
      found[1].arguments.map(each => each.name),
      ['x']
    );
  });

  test('half-written code is no trouble', () => {
    for (const broken of ['def f(', 'def f(a=', 'def f(a="', 'def f(a, b', '"""', 'def f(a]):']) {
      assert.ok(Array.isArray(functionsOf(broken)));
    }
  });

  test('literals', () => {
    const cases: [string, unknown][] = [
      ['1e-3', 0.001],
      ['-1_000', -1000],
      ['True', true],
      ['None', null],
      ["'it\\'s'", "it's"],
      ['[1]', undefined],
      ['name', undefined]
    ];
    for (const [text, value] of cases) {
      assert.equal(scalar(text), value);
    }
    assert.deepEqual([0.1, 'a"b', false, null, 1e21].map(literal), [
      '0.1',
      '"a\\"b"',
      'False',
      'None',
      '1e21'
    ]);
    assert.deepEqual(items('Literal[1, "a,b"]'), ['1', '"a,b"']);
  });

  test('assignments at the margin, with the place of their values', () => {
    const text = 'a = 1  # one\nb: int = [1,\n  2]\nif a == 2:\n    c = 3\nd == 4\ne = "#x"';
    assert.deepEqual(
      assignments(text).map(({ name, start, end }) => [name, text.slice(start, end)]),
      [
        ['a', '1'],
        ['b', '[1,\n  2]'],
        ['e', '"#x"']
      ]
    );
  });
});

describe('the space from a signature', () => {
  const rows = functionsOf(SOURCE)[0].arguments.map(rowOf);

  test('a first guess for each type', () => {
    assert.deepEqual(
      rows.map(row => [row.name, row.on, rowText(row)]),
      [
        ['lr', true, 'double(0.001,0.1,log)'],
        ['layers', true, 'int(1,8)'],
        ['optimizer', true, 'categorical(sgd,"adam, with decay")'],
        ['shuffle', true, 'categorical(True,False)'],
        ['width', true, 'int(32,512)'],
        ['text', false, 'categorical("a, (b")'],
        ['data', false, 'double(,)']
      ]
    );
  });

  test('a space that the signature says itself is taken as it is', () => {
    const [one] = functionsOf(
      `def f(a=kf.tuning.double(1e-4, 1e-1, log=True), b: Annotated[int, int_(1, 9, step=2)] = 3,
             c: Annotated[str, "categorical(x,y)"] = "x", d: float = 0.3, e=5.0, g=discrete(1, 2)): pass`
    );
    assert.deepEqual(one.arguments.map(rowOf).map(rowText), [
      'double(1e-4,1e-1,log)',
      'int(1,9,step=2)',
      'categorical(x,y)',
      'double(0.0,1.0)',
      'double(0.5,50.0,log)',
      'discrete(1,2)'
    ]);
  });

  test('as Python', () => {
    assert.equal(rowCode(rows[0]), 'double(0.001, 0.1, log=True)');
    assert.equal(rowCode(rows[1]), 'int_(1, 8)');
    assert.equal(rowCode(rows[2]), 'categorical("sgd", "adam, with decay")');
    assert.equal(
      rowCode({ ...EMPTY_ROW, type: 'int', min: '8', max: '64', step: '8' }),
      'int_(8, 64, step=8)'
    );
    assert.equal(rowCode({ ...EMPTY_ROW, type: 'discrete', list: '16, 32' }), 'discrete(16, 32)');
  });

  test('mistakes are said under the field where they stand', () => {
    const wrong = (given: Partial<IRow>) =>
      Object.entries(rowProblems({ ...EMPTY_ROW, name: 'x', ...given }, [], ENGLISH));
    const cases: [Partial<IRow>, string, RegExp][] = [
      [{ min: '1', max: '0.1' }, 'max', /above the minimum, 1/],
      [{ min: '1', max: '1' }, 'max', /above/],
      [{ min: 'a', max: '1' }, 'min', /number/],
      [{ min: '0', max: '1', log: true }, 'min', /above 0/],
      [{ type: 'int', min: '0.5', max: '3' }, 'min', /whole/],
      [{ min: '0', max: '1', step: '2' }, 'step', /larger/],
      [{ min: '0', max: '1', step: '-1' }, 'step', /above 0/],
      [{ min: '1', max: '10', step: '1', log: true }, 'step', /no step/],
      [{ type: 'discrete', list: '1, two' }, 'list', /Numbers/],
      [{ type: 'categorical', list: 'one' }, 'list', /two values/],
      [{ type: 'categorical', list: 'a, b, a' }, 'list', /twice/],
      [{ name: '1x', min: '0', max: '1' }, 'name', /name/]
    ];
    for (const [given, field, text] of cases) {
      const found = wrong(given);
      assert.deepEqual(
        found.map(([name]) => name),
        [field],
        JSON.stringify(given)
      );
      assert.match(String(found[0][1]), text);
    }
    assert.deepEqual(wrong({ min: '1e-4', max: '0.1', log: true }), []);
    assert.deepEqual(wrong({ on: false, min: 'x' }), [], 'what is not tuned may say anything');
  });

  test('the same name twice', () => {
    const row = { ...EMPTY_ROW, name: 'x', min: '0', max: '1' };
    const twins = [row, { ...row }];
    assert.match(String(rowProblems(twins[1], twins, ENGLISH).name), /already/);
  });

  test('the size of a grid', () => {
    const int = { ...EMPTY_ROW, type: 'int' as const, min: '1', max: '4' };
    const words = { ...EMPTY_ROW, type: 'categorical' as const, list: 'a, b, c' };
    const endless = { ...EMPTY_ROW, min: '0', max: '1' };
    assert.equal(combinations([int, words]), 12);
    assert.equal(combinations([int, endless]), null);
    assert.equal(combinations([int, { ...endless, step: '0.1' }]), 44);
    assert.deepEqual(listed({ list: 'a, 1, True, "x y"' }), ['a', 1, true, 'x y']);
  });
});

describe('the form', () => {
  const draft: IDraft = {
    ...EMPTY_DRAFT,
    path: 'work/train.py',
    function: 'train',
    rows: [
      { ...EMPTY_ROW, name: 'lr', min: '1e-4', max: '0.1', log: true },
      { ...EMPTY_ROW, name: 'off', on: false }
    ],
    goal: '0.05',
    settings: 'seed=1',
    stopping: 'medianstop'
  };

  test('a good one has no problem, and says the same in Python and to the server', () => {
    assert.equal(problemsOf(draft, ENGLISH).count, 0);
    assert.equal(
      pythonOf(draft),
      [
        'from pathlib import Path',
        '',
        'import jupyter_ext as kf',
        '',
        'experiment = kf.tuning.tune(',
        '    Path("work/train.py"),',
        '    {',
        '        "lr": kf.tuning.double(1e-4, 0.1, log=True),',
        '    },',
        '    objective="loss:min:0.05",',
        '    function="train",',
        '    algorithm="tpe",',
        '    settings={"seed": "1"},',
        '    trials=20,',
        '    early_stopping="medianstop",',
        ')',
        'experiment'
      ].join('\n')
    );
    assert.deepEqual(bodyOf(draft), {
      path: 'work/train.py',
      function: 'train',
      space: { lr: 'double(1e-4,0.1,log)' },
      objective: 'loss:min:0.05',
      algorithm: 'tpe',
      settings: { seed: '1' },
      trials: 20,
      early_stopping: 'medianstop'
    });
  });

  test('the best model is registered where that was asked for', () => {
    const named = { ...draft, register: ' iris@champion ' };
    assert.equal(problemsOf(named, ENGLISH).count, 0);
    assert.match(pythonOf(named), /\n {4}register="iris@champion",\n/);
    assert.equal(bodyOf(named).register, 'iris@champion');
  });

  test('a function of a notebook is called by its name', () => {
    assert.match(pythonOf({ ...draft, path: 'a.ipynb' }), /tune\(\n {4}train,\n/);
  });

  test('each mistake at its field', () => {
    const cases: [Partial<IDraft>, string][] = [
      [{ function: '' }, 'function'],
      [{ rows: [] }, 'rows'],
      [{ metric: ' ' }, 'metric'],
      [{ goal: 'low' }, 'goal'],
      [{ trials: '0' }, 'trials'],
      [{ register: '@champion' }, 'register'],
      [{ register: 'iris@not this' }, 'register'],
      [{ trials: '' }, 'trials'],
      [{ parallel: '1.5' }, 'parallel'],
      [{ maxFailed: '-1' }, 'maxFailed'],
      [{ name: 'My Sweep' }, 'name'],
      [{ settings: 'seed' }, 'settings'],
      [{ algorithm: 'grid' }, 'algorithm']
    ];
    for (const [given, field] of cases) {
      const { fields } = problemsOf({ ...draft, ...given }, ENGLISH);
      assert.deepEqual(Object.keys(fields), [field], JSON.stringify(given));
    }
  });

  test('settings', () => {
    assert.deepEqual(settingsOf('a=1, b-c = x '), { a: '1', 'b-c': 'x' });
    assert.equal(settingsOf('a'), null);
  });

  test('the metrics that a function speaks of', () => {
    const text =
      'kf.report(loss=float(total(x)), step=i)\nif a == 1: return {"accuracy": 1, \'f1\': g}';
    assert.deepEqual(metricsIn(text), ['loss', 'accuracy', 'f1']);
  });
});
