import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { ICellText } from '../../../notebook/model/cells';
import { applies, edited } from '../../../notebook/model/cells';
import { whyNot } from '../code';
import { parametersCell, parametersDict, planParameters } from '../notebook';
import type { IExperiment } from '../types';

function cell(source: string, ...tags: string[]): ICellText {
  return { id: source.slice(0, 8), type: 'code', source, tags };
}

function applied(cells: ICellText[], parameters: Record<string, string | number>): string[] {
  const plan = planParameters(cells, parameters, 'Best of sweep');
  return cells.map(each =>
    plan.edits
      .filter(edit => edit.id === each.id)
      .reduce((now, edit) => {
        assert.ok(applies(edit, now));
        return edited(now, edit);
      }, each)
      .source.toString()
  );
}

describe('the best trial in a notebook', () => {
  test('a cell of its own', () => {
    assert.equal(
      parametersCell({ lr: 0.01, opt: 'adam', on: true, 'a.b': 1 }, 'Trial 3 of sweep'),
      '# Trial 3 of sweep\nlr = 0.01\nopt = "adam"\non = True\na_b = 1'
    );
    assert.equal(parametersDict({ lr: 0.01, opt: 'adam' }), '{"lr": 0.01, "opt": "adam"}');
  });

  test('known pipeline parameters change in place, with their comments', () => {
    const cells = [
      cell('x = 1'),
      cell('lr = 0.1  # rate\nlayers: int = 2\nother = 5', 'pipeline-parameters')
    ];
    assert.deepEqual(applied(cells, { lr: 0.003, layers: 4 }), [
      'x = 1',
      'lr = 0.003  # rate\nlayers: int = 4\nother = 5'
    ]);
  });

  test('a parameter that the notebook lacks is added', () => {
    const cells = [cell('lr = 0.1', 'parameters')];
    assert.deepEqual(applied(cells, { lr: 0.003, opt: 'adam' }), ['lr = 0.003\nopt = "adam"']);
  });

  test('a notebook without parameters gets a cell for them', () => {
    const plan = planParameters([cell('x = 1')], { lr: 0.1 }, 'Best of sweep');
    assert.equal(plan.cell, '# Best of sweep\nlr = 0.1');
    assert.deepEqual(plan.edits, []);
  });

  test('the same values are no change', () => {
    const plan = planParameters([cell('lr = 0.1', 'parameters')], { lr: 0.1 }, '');
    assert.deepEqual([plan.edits, plan.changed, plan.cell], [[], [], null]);
  });
});

test('what can be done to an experiment', () => {
  const at = (phase: string) => ({ status: { phase } }) as unknown as IExperiment;
  assert.equal(whyNot('stop', at('RUNNING')), null);
  assert.equal(whyNot('stop', at('CANCELING')), 'stopping');
  assert.equal(whyNot('stop', at('FAILED')), 'finished');
  assert.equal(whyNot('resume', at('SUCCEEDED')), null);
  assert.equal(whyNot('resume', at('RUNNING')), 'unfinished');
  assert.equal(whyNot('delete', null), 'unknown');
});
