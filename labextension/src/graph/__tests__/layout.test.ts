import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { layout, reduce } from '../layout';
import { related, runGraph } from '../model';
import { move, nest } from '../nested';
import { fit, reveal, zoomAt } from '../view';

const SPACING = { x: 20, y: 30, margin: 10 };
const SIZES = {
  node: () => ({ width: 100, height: 40 }),
  head: () => 50,
  pad: 10,
  spacing: SPACING
};

function draw(ids: string, pairs: string) {
  const nodes = ids.split('').map(id => ({ id, width: 100, height: 40 }));
  const edges = pairs
    .split(' ')
    .filter(Boolean)
    .map(([source, target]) => ({ source, target }));
  return layout(nodes, edges, SPACING);
}

describe('layout', () => {
  test('branches stand side by side in the order of the notebook', () => {
    const plan = draw('abcde', 'ab ac ad be ce de');
    const at = (id: string) => plan.nodes.get(id)!;
    assert.ok(at('b').y === at('c').y && at('c').y === at('d').y);
    assert.ok(at('b').x < at('c').x && at('c').x < at('d').x);
    assert.ok(at('a').y < at('b').y && at('d').y < at('e').y);
    assert.ok(Math.abs(at('a').x - at('c').x) < 1, 'the start is above the middle');
  });

  test('no two nodes overlap, and all lie inside', () => {
    let seed = 7;
    const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
    for (let round = 0; round < 40; round++) {
      const ids = 'abcdefghijklmnop'.slice(0, 3 + Math.floor(random() * 13));
      const pairs: string[] = [];
      for (let i = 0; i < ids.length; i++) {
        for (let j = i + 1; j < ids.length; j++) {
          if (random() < 0.25) {
            pairs.push(ids[i] + ids[j]);
          }
        }
      }
      const plan = draw(ids, pairs.join(' '));
      const nodes = [...plan.nodes.values()];
      assert.equal(nodes.length, ids.length);
      for (const a of nodes) {
        assert.ok(a.x >= 0 && a.y >= 0 && a.x + a.width <= plan.width + 1e-6);
        for (const b of nodes) {
          const apart = Math.abs(a.x - b.x) >= 100 - 1e-6 || Math.abs(a.y - b.y) >= 40 - 1e-6;
          assert.ok(a === b || apart, `${a.id} and ${b.id} overlap in round ${round}`);
        }
      }
      for (const route of plan.routes) {
        assert.ok(plan.nodes.get(route.source)!.y < plan.nodes.get(route.target)!.y);
      }
    }
  });

  test('an edge that others imply is not drawn; a cycle is cut, not followed', () => {
    const edges = (pairs: string) =>
      pairs.split(' ').map(([source, target]) => ({ source, target }));
    const drawn = (ids: string, pairs: string) =>
      reduce(ids.split(''), edges(pairs)).map(edge => edge.source + edge.target);
    assert.deepEqual(drawn('abc', 'ab bc ac'), ['ab', 'bc']);
    assert.deepEqual(drawn('abc', 'ab bc ca aa ax'), ['ab', 'bc']);
  });

  test('a thousand steps are laid out in a moment', () => {
    const nodes = Array.from({ length: 1000 }, (_, i) => ({ id: `n${i}`, width: 100, height: 40 }));
    const edges = nodes.slice(1).map((node, i) => ({
      source: `n${Math.floor(i / 3)}`,
      target: node.id
    }));
    assert.equal(layout(nodes, edges, SPACING).nodes.size, 1000);
  });

  test('nothing is a drawing too', () => {
    const plan = layout([], [], SPACING);
    assert.ok(plan.width > 0 && plan.height > 0);
  });
});

describe('keys', () => {
  const ids = (text: string) => text.split('').map(id => ({ id, title: id, state: null }));
  const edges = ['ab', 'ac', 'ad', 'be', 'ce', 'de'].map(([source, target]) => ({
    source,
    target
  }));
  const { boxes } = nest({ nodes: ids('abcde'), edges, critical: [] }, () => true, SIZES);
  const cases: [string, string, string | undefined][] = [
    ['a', 'ArrowDown', 'c'],
    ['c', 'ArrowLeft', 'b'],
    ['c', 'ArrowRight', 'd'],
    ['d', 'ArrowRight', undefined],
    ['b', 'ArrowDown', 'e'],
    ['e', 'ArrowUp', 'c'],
    ['a', 'ArrowUp', undefined]
  ];
  for (const [from, key, to] of cases) {
    test(`${key} from ${from}`, () => {
      assert.deepEqual(move(boxes, from, key), to === undefined ? null : { to });
    });
  }
});

describe('viewport', () => {
  test('zooming keeps the point under the pointer', () => {
    const before = { x: 10, y: 20, scale: 1 };
    const after = zoomAt(before, 1.5, 200, 100);
    assert.ok(Math.abs((200 - before.x) / before.scale - (200 - after.x) / after.scale) < 1e-9);
  });

  test('a small drawing is not enlarged, a large one fits in width', () => {
    assert.equal(fit({ width: 100, height: 100 }, { width: 500, height: 500 }).scale, 1);
    assert.equal(fit({ width: 1000, height: 9000 }, { width: 800, height: 500 }).scale, 0.8);
  });

  test('a hidden node is brought into view, a visible one moves nothing', () => {
    const view = { x: 0, y: 0, scale: 1 };
    const window = { width: 400, height: 300 };
    const box = { width: 100, height: 40 };
    assert.deepEqual(reveal(view, { ...box, x: 100, y: 100 }, window), view);
    assert.equal(reveal(view, { ...box, x: 100, y: 500 }, window).y, 300 - 16 - 540);
  });
});

describe('the graph of a run', () => {
  const step = (name: string) => ({ name, cells: [], reads: [], writes: [] });
  const graph = { name: 'p', steps: [step('a'), step('b')], edges: [{ source: 'a', target: 'b' }] };
  const data = runGraph({
    kind: 'Run',
    metadata: { name: 'r', uid: 'r', resourceVersion: 1 },
    spec: { pipeline: { name: 'p', graph } },
    status: {
      phase: 'FAILED',
      steps: [
        { name: 'a', state: 'FAILED', edgesAdded: ['b'] },
        { name: 'a[0]', state: 'FAILED', parent: 'a' }
      ]
    }
  });

  test('iterations are inside their step, found edges are told apart', () => {
    assert.deepEqual(
      data.nodes.map(node => [node.id, node.iterations?.length ?? 0]),
      [
        ['a', 1],
        ['b', 0]
      ]
    );
    assert.equal(data.edges[1].kind, 'dynamic');
  });

  test('what a finished run never came to is not waiting', () => {
    assert.equal(data.nodes[1].state, null);
    assert.ok(data.nodes[1].left);
  });

  test('related steps are those above and below', () => {
    const edges = [
      { source: 'a', target: 'b' },
      { source: 'b', target: 'd' },
      { source: 'c', target: 'd' }
    ];
    assert.deepEqual([...related(edges, 'b')].sort(), ['a', 'b', 'd']);
  });
});
