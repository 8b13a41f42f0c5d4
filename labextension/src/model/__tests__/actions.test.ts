import assert from 'node:assert/strict';
import { test } from 'node:test';

import { whyNot } from '../actions';
import type { IRun, RunState } from '../types';

function run(phase: RunState, kind?: string): IRun {
  const place = kind ? { place: { kind } } : {};
  return {
    metadata: { name: 'x' },
    spec: { pipeline: { name: 'x', format: 'kfp' }, ...place },
    status: { phase }
  } as unknown as IRun;
}

test('a run of Kubeflow Pipelines is not reproduced; what else can be done is as of any other', () => {
  for (const phase of ['SUCCEEDED', 'FAILED', 'RUNNING'] as RunState[]) {
    assert.equal(whyNot('reproduce', run(phase, 'kfp')), 'elsewhere');
    for (const action of ['stop', 'resume', 'rerun', 'export', 'delete'] as const) {
      assert.equal(whyNot(action, run(phase, 'kfp')), whyNot(action, run(phase)));
    }
  }
  assert.equal(whyNot('reproduce', run('FAILED')), null);
  assert.equal(whyNot('reproduce', run('RUNNING')), 'unfinished');
});
