import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { category, linear } from '../../../chart/scales';
import { axesOf, OBJECTIVE } from '../axes';
import { brushed, drawn, isBrushed, moveEnd, NO_BRUSH, setRange } from '../brush';
import type { IObjective, IParameterSpec, ITrial } from '../types';

const OBJECT: IObjective = { type: 'minimize', objectiveMetricName: 'loss' };
const SPACE: IParameterSpec[] = [
  {
    name: 'lr',
    parameterType: 'double',
    feasibleSpace: { min: '0.0001', max: '0.1', distribution: 'logUniform' }
  },
  { name: 'layers', parameterType: 'int', feasibleSpace: { min: '1', max: '5' } },
  { name: 'opt', parameterType: 'categorical', feasibleSpace: { list: ['sgd', 'adam'] } },
  { name: 'batch', parameterType: 'discrete', feasibleSpace: { list: ['16', '32', '64'] } }
];

function trial(number: number, parameters: ITrial['parameters'], value: number | null): ITrial {
  return { name: `t-${number}`, number, state: 'SUCCEEDED', value, parameters };
}

const TRIALS = [
  trial(1, { lr: 0.001, layers: 1, opt: 'sgd', batch: 16 }, 0.5),
  trial(2, { lr: 0.01, layers: 3, opt: 'adam', batch: 32 }, 0.2),
  trial(3, { lr: 0.1, layers: 5, opt: 'adam', batch: 64.0 }, null)
];

describe('axes', () => {
  const axes = axesOf(SPACE, OBJECT, TRIALS);

  test('one for each parameter and one for the objective, each as its space says', () => {
    assert.deepEqual(
      axes.map(axis => [axis.id, axis.scale.kind]),
      [
        ['lr', 'log'],
        ['layers', 'linear'],
        ['opt', 'category'],
        ['batch', 'category'],
        [OBJECTIVE, 'linear']
      ]
    );
    assert.deepEqual(
      TRIALS.map(each => Number(axes[0].scale.at(axes[0].read(each)).toFixed(3))),
      [0.333, 0.667, 1]
    );
    assert.deepEqual(
      TRIALS.map(each => axes[3].scale.at(axes[3].read(each))),
      [0, 0.5, 1]
    );
  });

  test('a value that the space does not list has a place all the same', () => {
    const more = [...TRIALS, trial(4, { lr: 0.01, layers: 2, opt: 'lion', batch: 16 }, 1)];
    const axis = axesOf(SPACE, OBJECT, more)[2];
    assert.equal(axis.scale.at('lion'), 1);
  });

  test('a normal distribution spans what was tried', () => {
    const space: IParameterSpec[] = [
      {
        name: 'x',
        parameterType: 'double',
        feasibleSpace: { min: '0', max: '1', distribution: 'normal' }
      }
    ];
    const seen = [-2, 0, 4].map((x, i) => trial(i, { x }, 0));
    assert.equal(axesOf(space, OBJECT, seen)[0].scale.at(1), 0.5);
  });
});

describe('brushing', () => {
  const axes = axesOf(SPACE, OBJECT, TRIALS);

  test('without ranges all pass, and nothing is counted', () => {
    assert.equal(brushed(NO_BRUSH, axes, TRIALS), null);
    assert.ok(!isBrushed(NO_BRUSH));
  });

  test('a trial must lie in every range; one without a value is in none', () => {
    const one = setRange(NO_BRUSH, 'lr', [0.3, 0.7]);
    assert.deepEqual([...brushed(one, axes, TRIALS)!], ['t-1', 't-2']);
    const two = setRange(one, 'opt', [1, 1]);
    assert.deepEqual([...brushed(two, axes, TRIALS)!], ['t-2']);
    const value = setRange(NO_BRUSH, OBJECTIVE, [0, 0.99]);
    assert.ok(!brushed(value, axes, TRIALS)!.has('t-3'));
  });

  test('a range over the whole axis, or none, takes the brush away', () => {
    const brush = setRange(NO_BRUSH, 'lr', [0.7, 0.2]);
    assert.deepEqual(brush.lr, [0.2, 0.7], 'drawn downwards is the same');
    assert.ok(!isBrushed(setRange(brush, 'lr', [-0.2, 1.4])));
    assert.ok(!isBrushed(setRange(brush, 'lr', null)));
  });

  test('keys move one end, by a category where there are categories', () => {
    const numbers = linear(0, 1);
    const near = (range: readonly number[] | null, wanted: number[]) =>
      assert.ok(range && range.every((value, i) => Math.abs(value - wanted[i]) < 1e-9), `${range}`);
    near(moveEnd([0, 1], 0, 'ArrowUp', numbers), [0.02, 1]);
    near(moveEnd([0, 1], 1, 'ArrowDown', numbers, true), [0, 0.9]);
    near(moveEnd([0.4, 0.5], 0, 'PageUp', numbers), [0.5, 0.5]);
    near(moveEnd([0.4, 0.5], 0, 'Home', numbers), [0, 0.5]);
    near(moveEnd([0, 1], 1, 'ArrowDown', category(['a', 'b', 'c'])), [0, 0.5]);
    assert.equal(moveEnd([0, 1], 0, 'x', numbers), null);
  });

  test('a range drawn over categories holds those it touches', () => {
    const scale = category(['a', 'b', 'c']);
    assert.deepEqual(drawn(0.4, 0.6, scale), [0.5, 0.5]);
    assert.deepEqual(drawn(0.9, 0.3, scale), [0.5, 1]);
    assert.deepEqual(drawn(0.1, 0.22, category(['a', 'b'])), [0, 0]);
    assert.deepEqual(drawn(0.45, 0.46, linear(0, 1)), [0.45, 0.46]);
    assert.deepEqual(drawn(0.2, 0.3, category(['only'])), [0, 1]);
  });
});
