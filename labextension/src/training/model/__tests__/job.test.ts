import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { RunState } from '../../../model/types';
import type { JobAction } from '../job';
import {
  argumentsOf,
  framework,
  jobWhyNot,
  metricsOf,
  note,
  progressOf,
  ranksOf,
  shape
} from '../job';
import type { ITrainJob, ITrainStatus } from '../types';

/** A job as the server gives it. */
export function job(
  phase: RunState,
  status: Partial<ITrainStatus> = {},
  annotations: Record<string, string> = {}
): ITrainJob {
  const ours = Object.entries(annotations).map(([name, value]) => [
    `jupyter-kubeflow.org/${name}`,
    value
  ]);
  return {
    apiVersion: 'trainer.kubeflow.org/v1alpha1',
    kind: 'TrainJob',
    metadata: {
      name: 'fit-x7k2p',
      uid: 'u',
      resourceVersion: '7',
      annotations: Object.fromEntries(ours) as Record<string, string>
    },
    spec: {
      runtimeRef: { name: 'torch-distributed' },
      trainer: { numNodes: 2, numProcPerNode: 2 }
    },
    status: { phase, ...status }
  };
}

const left = (duration: string) => `${duration} left`;

describe('a row of a job', () => {
  const trainerStatus = {
    progressPercentage: 40,
    estimatedRemainingSeconds: 90,
    metrics: [
      { name: 'loss', value: '0.25' },
      { name: 'acc', value: '0.9' },
      { name: 'odd', value: 'NaN' }
    ]
  };
  const cases: [string, ITrainJob, string][] = [
    ['waits and says why', job('PENDING', { reason: 'Waiting for 1 GPU.' }), 'Waiting for 1 GPU.'],
    ['runs', job('RUNNING', { trainerStatus }), '40 % · loss 0.25 · acc 0.9 · 1 min 30 s left'],
    [
      'runs and reports nothing',
      job('RUNNING', { reason: '4 of 4 processes run.' }),
      '4 of 4 processes run.'
    ],
    [
      'failed',
      job('FAILED', { reason: 'Rank 1 failed: ValueError: x' }),
      'Rank 1 failed: ValueError: x'
    ],
    [
      'succeeded',
      job('SUCCEEDED', { trainerStatus, reason: 'Done.' }),
      'torch × 2 × 2 · loss 0.25 · acc 0.9'
    ]
  ];
  for (const [name, item, expected] of cases) {
    test(name, () => assert.equal(note(item, left), expected));
  }

  test('its metrics are numbers, its progress a share', () => {
    const item = job('RUNNING', { trainerStatus });
    assert.deepEqual(metricsOf(item), { loss: 0.25, acc: 0.9 });
    assert.equal(progressOf(item), 0.4);
    assert.equal(progressOf(job('RUNNING')), null);
  });
});

describe('what a job is', () => {
  test('framework from our note, the runtime, or the legacy kind', () => {
    assert.equal(framework(job('RUNNING')), 'torch');
    assert.equal(framework(job('RUNNING', {}, { framework: 'jax' })), 'jax');
    assert.equal(framework({ ...job('RUNNING'), kind: 'TFJob' }), 'tensorflow');
  });

  test('an elastic job says its range, a single process nothing', () => {
    assert.equal(shape(job('RUNNING', {}, { nodes: '1:4' })), 'torch × 1:4 × 2');
    const single = job('RUNNING');
    single.spec.trainer = { numNodes: 1, numProcPerNode: 1 };
    assert.equal(shape(single), 'torch');
  });

  test('arguments that do not read as JSON are none', () => {
    assert.deepEqual(argumentsOf(job('RUNNING', {}, { args: '{"lr": 0.1}' })), { lr: 0.1 });
    assert.deepEqual(argumentsOf(job('RUNNING', {}, { args: '{' })), {});
  });
});

describe('ranks', () => {
  test('those that nobody has heard of wait, on the node they belong to', () => {
    const item = job('RUNNING', { ranks: [{ rank: 1, node: 0, state: 'RUNNING' }] });
    assert.deepEqual(
      ranksOf(item).map(rank => [rank.rank, rank.node, rank.state]),
      [
        [0, 0, 'PENDING'],
        [1, 0, 'RUNNING'],
        [2, 1, 'PENDING'],
        [3, 1, 'PENDING']
      ]
    );
  });

  test('of a job that is over only those that there were', () => {
    assert.equal(ranksOf(job('CANCELED')).length, 0);
  });
});

describe('what can be done', () => {
  const allowed: [RunState, JobAction[]][] = [
    ['PENDING', ['stop', 'suspend']],
    ['RUNNING', ['stop', 'suspend']],
    ['PAUSED', ['stop', 'resume', 'delete']],
    ['CANCELING', []],
    ['FAILED', ['resume', 'delete']],
    ['CANCELED', ['resume', 'delete']],
    ['SUCCEEDED', ['delete']]
  ];
  for (const [phase, actions] of allowed) {
    test(phase, () => {
      const all: JobAction[] = ['stop', 'suspend', 'resume', 'delete'];
      assert.deepEqual(
        all.filter(action => jobWhyNot(action, job(phase)) === null),
        actions
      );
    });
  }
});
