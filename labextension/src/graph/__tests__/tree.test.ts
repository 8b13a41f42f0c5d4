import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { IPipeline, IStepStatus } from '../../model/types';
import { layout } from '../layout';
import { chosenOf, marks } from '../marks';
import { move, nest } from '../nested';
import { isGroup, NONE_CHOSEN, Outline, splitId } from '../outline';
import { Tree } from '../tree';

const SIZES = {
  node: () => ({ width: 100, height: 40 }),
  head: () => 50,
  pad: 10,
  spacing: { x: 20, y: 30, margin: 10 }
};

const group = (id: string, parent: string, kind: string, more = {}) => ({
  id,
  parent,
  title: id,
  kind,
  condition: '',
  item: '',
  limit: 0,
  always: false,
  ...more
});
const task = (where: string, more = {}) => ({
  group: where,
  kind: 'python',
  always: false,
  condition: '',
  item: '',
  inputs: {},
  ...more
});
const step = (name: string) => ({ name, cells: [], reads: [], writes: [] });

/** `load`, then a loop with `make`, a loop in it with `use`, and a condition with `rare`; `end` comes after all. */
const PIPELINE = {
  name: 'p',
  steps: ['load', 'make', 'use', 'rare', 'end'].map(step),
  edges: [
    { source: 'load', target: 'make' },
    { source: 'make', target: 'use' },
    { source: 'make', target: 'rare' },
    { source: 'use', target: 'end' },
    { source: 'rare', target: 'end' }
  ],
  metadata: {
    groups: [
      group('loop/', '', 'loop'),
      group('loop/in/', 'loop/', 'loop'),
      group('loop/if/', 'loop/', 'condition', { condition: 'x > 1' })
    ],
    tasks: {
      load: task(''),
      make: task('loop/'),
      use: task('loop/in/'),
      rare: task('loop/if/'),
      end: task('', { always: true })
    },
    parameters: []
  }
} as unknown as IPipeline;

function status(name: string, state: string, more = {}): IStepStatus {
  return { name, state, ...more } as IStepStatus;
}

const STATUSES = [
  status('load', 'SUCCEEDED'),
  status('make', 'RUNNING'),
  status('make[0]', 'SUCCEEDED', { parent: 'make', item: 'a' }),
  status('make[1]', 'RUNNING', { parent: 'make', item: 'b' }),
  status('use', 'PENDING'),
  status('use[0,0]', 'SUCCEEDED', { parent: 'use' }),
  status('use[0,1]', 'FAILED', { parent: 'use', reason: 'It broke.' }),
  status('rare', 'PENDING'),
  status('rare[0]', 'SKIPPED', { parent: 'rare', reason: 'Skipped: x is 0.' }),
  status('end', 'PENDING')
];

const outline = Outline.of(PIPELINE)!;

describe('ids', () => {
  test('an iteration has its index, a group its slash', () => {
    assert.deepEqual(splitId('a/b[1,20]'), { base: 'a/b', index: [1, 20] });
    assert.deepEqual(splitId('odd[x]'), { base: 'odd[x]', index: null });
    assert.ok(isGroup('loop/[3]') && isGroup('loop/') && !isGroup('loop/make[3]'));
  });
});

describe('a compiled pipeline', () => {
  test('edges join what stands side by side', () => {
    const data = new Tree(outline, PIPELINE, []).data([]);
    const pairs = (edges: { source: string; target: string }[]) =>
      edges.map(edge => `${edge.source}>${edge.target}`);
    assert.deepEqual(pairs(data.edges), ['load>loop/', 'loop/>end']);
    const loop = data.nodes.find(node => node.id === 'loop/')!;
    assert.deepEqual(pairs(loop.inner!.edges), ['make>loop/in/', 'make>loop/if/']);
    assert.equal(loop.state, null);
  });

  test('a loop sums up its iterations, and shows one of them where it is chosen', () => {
    const whole = new Tree(outline, PIPELINE, STATUSES);
    assert.deepEqual(
      whole.iterations('loop/').map(each => [each.id, each.state, each.item]),
      [
        ['loop/[0]', 'FAILED', 'a'],
        ['loop/[1]', 'RUNNING', 'b']
      ]
    );
    assert.equal(whole.groupNode(outline.group('loop/')!).state, 'RUNNING');
    assert.deepEqual(
      whole.iterations('loop/in/').map(each => each.id),
      ['loop/in/[0,0]', 'loop/in/[0,1]']
    );
    const chosen = outline.choose(NONE_CHOSEN, 'use[0,1]');
    const one = new Tree(outline, PIPELINE, STATUSES, chosen);
    assert.equal(one.node('make', 'make').unit, 'make[0]');
    assert.equal(one.node('use', 'use').reason, 'It broke.');
    assert.equal(one.groupNode(outline.group('loop/if/')!).reason, 'Skipped: x is 0.');
    assert.equal(one.groupNode(outline.group('loop/if/')!).state, 'SKIPPED');
    const other = outline.choose(chosen, 'loop/[1]');
    assert.equal(new Tree(outline, PIPELINE, STATUSES, other).node('make', 'make').unit, 'make[1]');
    assert.equal(outline.choose(other, 'loop/').get('loop/'), undefined);
    assert.equal(outline.choose(other, 'load'), other, 'elsewhere nothing changes');
  });

  test('a group that is open is drawn around its inside; keys go in and out', () => {
    const data = new Tree(outline, PIPELINE, STATUSES).data([]);
    const open = nest(data, () => true, SIZES).boxes;
    const around = open.get('loop/')!.place;
    for (const id of ['make', 'loop/in/', 'use', 'rare']) {
      const { place } = open.get(id)!;
      assert.ok(place.x >= around.x && place.x + place.width <= around.x + around.width, id);
      assert.ok(place.y > around.y && place.y + place.height <= around.y + around.height, id);
    }
    const shut = nest(data, () => false, SIZES).boxes;
    assert.deepEqual([...shut.keys()], ['load', 'loop/', 'end']);
    const keys = (boxes: typeof open, from: string, key: string) => move(boxes, from, key);
    assert.deepEqual(keys(shut, 'loop/', 'ArrowRight'), { toggle: 'loop/' });
    assert.deepEqual(keys(shut, 'loop/', 'Enter'), { toggle: 'loop/' });
    assert.deepEqual(keys(open, 'loop/', 'ArrowRight'), { to: 'make' });
    assert.deepEqual(keys(open, 'make', 'ArrowLeft'), { to: 'loop/' });
    assert.deepEqual(keys(open, 'use', 'ArrowDown'), { to: 'end' });
    assert.deepEqual(keys(open, 'load', 'ArrowDown'), { to: 'loop/' });
    assert.deepEqual(keys(open, 'loop/', 'ArrowLeft'), { toggle: 'loop/' });
    assert.equal(keys(open, 'load', 'Enter'), null);
  });
});

describe('the strip', () => {
  const many = Array.from({ length: 1000 }, (_, at) => ({
    id: `a[${at}]`,
    index: [at],
    state: at === 777 ? ('FAILED' as const) : ('SUCCEEDED' as const),
    item: ''
  }));

  test('a thousand iterations have places for all, and none that failed is lost', () => {
    const drawn = marks(many, 50);
    assert.equal(drawn.length, 50);
    assert.equal(
      drawn.reduce((sum, mark) => sum + mark.to - mark.from, 0),
      1000
    );
    const bad = drawn.filter(mark => mark.state === 'FAILED');
    assert.equal(bad.length, 1);
    assert.equal(chosenOf(many, bad[0]), 777);
    assert.equal(marks(many.slice(0, 3), 50).length, 3);
  });

  test('a loop of a thousand is summed up in a moment', () => {
    const statuses = many.map(each =>
      status(`make[${each.index[0]}]`, each.state, { parent: 'make' })
    );
    const tree = new Tree(outline, PIPELINE, [status('make', 'FAILED'), ...statuses]);
    assert.equal(tree.iterations('loop/').length, 1000);
    assert.equal(tree.groupNode(outline.group('loop/')!).state, 'FAILED');
  });
});

test('what has nothing to do with each other stands in rows that can be overlooked', () => {
  const nodes = Array.from({ length: 30 }, (_, at) => ({ id: `n${at}`, title: '', state: null }));
  const edges = [{ source: 'n4', target: 'n9' }];
  const plan = nest({ nodes, edges, critical: [] }, () => true, SIZES);
  assert.ok(plan.width <= 720 && plan.height < 600, `${plan.width}x${plan.height}`);
  const boxes = [...plan.boxes.values()];
  for (const a of boxes) {
    for (const b of boxes) {
      const apart = Math.abs(a.place.x - b.place.x) >= 100 || Math.abs(a.place.y - b.place.y) >= 40;
      assert.ok(a === b || apart, `${a.node.id} and ${b.node.id} overlap`);
    }
  }
  assert.deepEqual(move(plan.boxes, 'n4', 'ArrowRight'), { to: 'n0' });
  const reached = new Set(['n4']);
  for (const from of reached) {
    for (const key of ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown']) {
      const next = move(plan.boxes, from, key);
      if (next && 'to' in next) {
        reached.add(next.to);
      }
    }
  }
  assert.equal(reached.size, 30, 'the arrow keys come everywhere');
});

test('hundreds of steps that all need each other are laid out', () => {
  const nodes = Array.from({ length: 300 }, (_, at) => ({ id: `n${at}`, width: 100, height: 40 }));
  const edges = nodes.flatMap((from, at) =>
    nodes.slice(at + 1).map(to => ({ source: from.id, target: to.id }))
  );
  const plan = layout(nodes, edges, SIZES.spacing);
  assert.equal(plan.routes.length, 299, 'only the chain is drawn');
});
