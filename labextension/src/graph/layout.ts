/**
 * Layered drawing of a pipeline, top to bottom.
 *
 * A layer is the longest way from a start, so that everything that could run side by side stands side by side.
 * Within a layer the notebook's order is kept unless another order crosses fewer edges.
 */

export interface ILayoutNode {
  id: string;
  width: number;
  height: number;
}

export interface ILayoutEdge {
  source: string;
  target: string;
}

export interface IPlaced extends ILayoutNode {
  x: number;
  y: number;
  layer: number;
  /** Position within the layer, from the left. */
  order: number;
}

export interface IRoute extends ILayoutEdge {
  points: [number, number][];
}

export interface ILayout {
  nodes: Map<string, IPlaced>;
  routes: IRoute[];
  width: number;
  height: number;
}

export interface ISpacing {
  x: number;
  y: number;
  margin: number;
}

/** A place in a layer: a node, or the point where a long edge passes. */
interface ISlot {
  key: string;
  width: number;
  height: number;
  layer: number;
  rank: number;
  x: number;
  up: ISlot[];
  down: ISlot[];
}

/** Drop what is implied by other edges, unknown ends and edges that would close a cycle. */
export function reduce(ids: readonly string[], edges: readonly ILayoutEdge[]): ILayoutEdge[] {
  const at = new Map(ids.map((id, index) => [id, index]));
  const seen = new Set<string>();
  const clean = edges.filter(edge => {
    const from = at.get(edge.source);
    const to = at.get(edge.target);
    const key = `${edge.source}\n${edge.target}`;
    if (from === undefined || to === undefined || from === to || seen.has(key)) {
      return false;
    }
    seen.add(key);
    return true;
  });
  const order = sorted(ids, clean);
  const kept = order ? clean : withoutCycles(clean);
  return withoutImplied(kept, order ?? sorted(ids, kept) ?? ids);
}

/** Each before those that it leads to; null where there is a cycle. */
function sorted(ids: readonly string[], edges: readonly ILayoutEdge[]): string[] | null {
  const children = childrenOf(edges);
  const open = new Map(ids.map(id => [id, 0]));
  edges.forEach(edge => open.set(edge.target, (open.get(edge.target) ?? 0) + 1));
  const found = ids.filter(id => !open.get(id));
  for (let at = 0; at < found.length; at++) {
    for (const child of children.get(found[at]) ?? []) {
      const left = (open.get(child) ?? 0) - 1;
      open.set(child, left);
      if (!left) {
        found.push(child);
      }
    }
  }
  return found.length === ids.length ? found : null;
}

function childrenOf(edges: readonly ILayoutEdge[]): Map<string, string[]> {
  const children = new Map<string, string[]>();
  edges.forEach(edge => {
    const list = children.get(edge.source);
    if (list) {
      list.push(edge.target);
    } else {
      children.set(edge.source, [edge.target]);
    }
  });
  return children;
}

function withoutCycles(edges: readonly ILayoutEdge[]): ILayoutEdge[] {
  const children = new Map<string, string[]>();
  const kept: ILayoutEdge[] = [];
  for (const edge of edges) {
    if (!reaches(children, edge.target, edge.source)) {
      const list = children.get(edge.source) ?? [];
      children.set(edge.source, [...list, edge.target]);
      kept.push(edge);
    }
  }
  return kept;
}

/** What each node leads to is a set of bits, so that several hundred nodes take no time. */
function withoutImplied(edges: readonly ILayoutEdge[], order: readonly string[]): ILayoutEdge[] {
  const place = new Map(order.map((id, index) => [id, index]));
  const words = Math.ceil(order.length / 32);
  const children = childrenOf(edges);
  const reach = new Map<string, Uint32Array>();
  const implied = new Set<string>();
  for (const id of [...order].reverse()) {
    const bits = new Uint32Array(words);
    const below = [...(children.get(id) ?? [])].sort((a, b) => place.get(a)! - place.get(b)!);
    for (const child of below) {
      const at = place.get(child)!;
      if (bits[at >> 5] & (1 << (at & 31))) {
        implied.add(`${id}\n${child}`);
        continue;
      }
      bits[at >> 5] |= 1 << (at & 31);
      reach.get(child)!.forEach((word, index) => (bits[index] |= word));
    }
    reach.set(id, bits);
  }
  return edges.filter(edge => !implied.has(`${edge.source}\n${edge.target}`));
}

function reaches(children: Map<string, string[]>, from: string, to: string): boolean {
  const stack = [from];
  const seen = new Set<string>();
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    if (id === to) {
      return true;
    }
    if (!seen.has(id)) {
      seen.add(id);
      stack.push(...(children.get(id) ?? []));
    }
  }
  return false;
}

export function layout(
  nodes: readonly ILayoutNode[],
  edges: readonly ILayoutEdge[],
  spacing: ISpacing
): ILayout {
  const drawn = reduce(
    nodes.map(node => node.id),
    edges
  );
  const layerOf = layers(nodes, drawn);
  const { rows, routes } = slots(nodes, drawn, layerOf);
  untangle(rows);
  align(rows, spacing.x);
  return place(nodes, rows, routes, spacing);
}

function layers(nodes: readonly ILayoutNode[], edges: readonly ILayoutEdge[]): Map<string, number> {
  const parents = new Map<string, string[]>(nodes.map(node => [node.id, []]));
  edges.forEach(edge => parents.get(edge.target)?.push(edge.source));
  const found = new Map<string, number>();
  const visit = (id: string): number => {
    const known = found.get(id);
    if (known !== undefined) {
      return known;
    }
    found.set(id, 0);
    const above = (parents.get(id) ?? []).map(visit);
    const layer = above.length ? Math.max(...above) + 1 : 0;
    found.set(id, layer);
    return layer;
  };
  nodes.forEach(node => visit(node.id));
  return found;
}

function slots(
  nodes: readonly ILayoutNode[],
  edges: readonly ILayoutEdge[],
  layerOf: Map<string, number>
): { rows: ISlot[][]; routes: { edge: ILayoutEdge; path: ISlot[] }[] } {
  const rows: ISlot[][] = [];
  const byId = new Map<string, ISlot>();
  const rankOf = new Map(nodes.map((node, index) => [node.id, index]));
  const add = (slot: ISlot) => {
    (rows[slot.layer] ??= []).push(slot);
    return slot;
  };
  for (const node of nodes) {
    const layer = layerOf.get(node.id) ?? 0;
    const rank = rankOf.get(node.id) ?? 0;
    byId.set(node.id, add({ ...node, key: node.id, layer, rank, x: 0, up: [], down: [] }));
  }
  const routes = edges.map(edge => {
    const from = byId.get(edge.source)!;
    const to = byId.get(edge.target)!;
    const path = [from];
    for (let layer = from.layer + 1; layer < to.layer; layer++) {
      const key = `${edge.source}→${edge.target}@${layer}`;
      path.push(add({ key, width: 8, height: 0, layer, rank: to.rank, x: 0, up: [], down: [] }));
    }
    path.push(to);
    for (let i = 1; i < path.length; i++) {
      path[i - 1].down.push(path[i]);
      path[i].up.push(path[i - 1]);
    }
    return { edge, path };
  });
  rows.forEach(row => row.sort((a, b) => a.rank - b.rank));
  return { rows, routes };
}

/** Barycentre sweeps; the first order with the fewest crossings wins, and that starts as the notebook's. */
function untangle(rows: ISlot[][]): void {
  let best = rows.map(row => [...row]);
  let fewest = crossings(rows);
  for (let round = 0; round < 6 && fewest > 0; round++) {
    const down = round % 2 === 0;
    const order = down ? rows.slice(1) : rows.slice(0, -1).reverse();
    for (const row of order) {
      sortByNeighbours(row, rows, down ? 'up' : 'down');
    }
    const count = crossings(rows);
    if (count < fewest) {
      fewest = count;
      best = rows.map(row => [...row]);
    }
  }
  best.forEach((row, index) => (rows[index] = row));
}

function sortByNeighbours(row: ISlot[], rows: ISlot[][], side: 'up' | 'down'): void {
  const position = positions(rows);
  const weight = new Map(
    row.map((slot, index) => {
      const near = slot[side].map(other => position.get(other) ?? 0);
      const mean = near.length ? near.reduce((a, b) => a + b, 0) / near.length : index;
      return [slot, mean];
    })
  );
  row.sort((a, b) => weight.get(a)! - weight.get(b)! || a.rank - b.rank);
}

function positions(rows: ISlot[][]): Map<ISlot, number> {
  const found = new Map<ISlot, number>();
  rows.forEach(row => row.forEach((slot, index) => found.set(slot, index)));
  return found;
}

function crossings(rows: ISlot[][]): number {
  const position = positions(rows);
  let count = 0;
  for (const row of rows) {
    const ends: [number, number][] = [];
    row.forEach((slot, index) =>
      slot.down.forEach(other => ends.push([index, position.get(other)!]))
    );
    for (let i = 0; i < ends.length; i++) {
      for (let j = i + 1; j < ends.length; j++) {
        if ((ends[i][0] - ends[j][0]) * (ends[i][1] - ends[j][1]) < 0) {
          count += 1;
        }
      }
    }
  }
  return count;
}

/** Move every slot towards its neighbours without changing the order. */
function align(rows: ISlot[][], gap: number): void {
  rows.forEach(row =>
    pack(
      row,
      row.map(() => 0),
      gap
    )
  );
  for (let round = 0; round < 8; round++) {
    const down = round % 2 === 0;
    for (const row of down ? rows : [...rows].reverse()) {
      const wanted = row.map(slot => {
        const near = down ? slot.up : slot.down;
        const used = near.length ? near : down ? slot.down : slot.up;
        return used.length ? used.reduce((sum, other) => sum + other.x, 0) / used.length : slot.x;
      });
      pack(row, wanted, gap);
    }
  }
}

/** Least squares under minimal distances: neighbours that would overlap move as one block. */
function pack(row: ISlot[], wanted: number[], gap: number): void {
  const blocks: { start: number; offsets: number[]; sum: number; x: number }[] = [];
  row.forEach((slot, index) => {
    blocks.push({ start: index, offsets: [0], sum: wanted[index], x: wanted[index] });
    while (blocks.length > 1) {
      const right = blocks[blocks.length - 1];
      const left = blocks[blocks.length - 2];
      const last = right.start - 1;
      const distance = (row[last].width + row[right.start].width) / 2 + gap;
      const reach = left.offsets[left.offsets.length - 1] + distance;
      if (left.x + reach <= right.x + 1e-6) {
        break;
      }
      blocks.pop();
      left.sum += right.sum - right.offsets.length * reach;
      left.offsets.push(...right.offsets.map(offset => offset + reach));
      left.x = left.sum / left.offsets.length;
    }
  });
  for (const block of blocks) {
    block.offsets.forEach((offset, index) => (row[block.start + index].x = block.x + offset));
  }
}

function place(
  nodes: readonly ILayoutNode[],
  rows: ISlot[][],
  routes: { edge: ILayoutEdge; path: ISlot[] }[],
  spacing: ISpacing
): ILayout {
  const all = rows.flat();
  const left = Math.min(0, ...all.map(slot => slot.x - slot.width / 2)) - spacing.margin;
  const right = Math.max(0, ...all.map(slot => slot.x + slot.width / 2)) + spacing.margin;
  const tops: number[] = [];
  let y = spacing.margin;
  rows.forEach((row, index) => {
    tops[index] = y;
    y += Math.max(0, ...row.map(slot => slot.height)) + spacing.y;
  });
  const placed = new Map<string, IPlaced>();
  const sizes = new Map(nodes.map(node => [node.id, node]));
  rows.forEach((row, layer) =>
    row.forEach((slot, order) => {
      const node = sizes.get(slot.key);
      if (node) {
        const x = slot.x - slot.width / 2 - left;
        placed.set(slot.key, { ...node, x, y: tops[layer], layer, order });
      }
    })
  );
  const drawn = routes.map(({ edge, path }) => ({
    ...edge,
    points: points(path, rows, tops, left)
  }));
  const height = Math.max(2 * spacing.margin, y - spacing.y + spacing.margin);
  return { nodes: placed, routes: drawn, width: right - left, height };
}

function points(path: ISlot[], rows: ISlot[][], tops: number[], left: number): [number, number][] {
  const found: [number, number][] = [];
  path.forEach((slot, index) => {
    const x = slot.x - left;
    const tall = Math.max(0, ...rows[slot.layer].map(other => other.height));
    if (index === 0) {
      found.push([x, tops[slot.layer] + slot.height]);
      if (tall > slot.height) {
        found.push([x, tops[slot.layer] + tall]);
      }
    } else if (index === path.length - 1) {
      found.push([x, tops[slot.layer]]);
    } else {
      found.push([x, tops[slot.layer]], [x, tops[slot.layer] + tall]);
    }
  });
  return found;
}

/** A smooth line that leaves and arrives vertically. */
export function curve(points: readonly [number, number][]): string {
  return points
    .map(([x, y], index) => {
      if (index === 0) {
        return `M${round(x)} ${round(y)}`;
      }
      const [fromX, fromY] = points[index - 1];
      if (fromX === x) {
        return `L${round(x)} ${round(y)}`;
      }
      const middle = (fromY + y) / 2;
      return `C${round(fromX)} ${round(middle)} ${round(x)} ${round(middle)} ${round(x)} ${round(y)}`;
    })
    .join('');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
