import type { ILayout, ILayoutEdge, ILayoutNode, IPlaced, IRoute, ISpacing } from './layout';
import { layout } from './layout';
import type { IGraphData, IGraphNode } from './model';

/** A node where it is drawn, and where it stands in the tree of groups. */
export interface IBox {
  node: IGraphNode;
  place: IPlaced;
  /** From 1, as screen readers count. */
  level: number;
  parent: string | null;
  /** From 1, among how many. */
  position: number;
  siblings: number;
  open: boolean;
}

export interface INested {
  /** In the order of the tree: a group before what is in it. */
  boxes: Map<string, IBox>;
  routes: IRoute[];
  width: number;
  height: number;
}

export interface ISizes {
  /** Of a leaf, and of a folded group. */
  node(node: IGraphNode): { width: number; height: number };
  /** What an open group has above its inside. */
  head(node: IGraphNode): number;
  pad: number;
  spacing: ISpacing;
}

/** What stands side by side without need is no wider than this, in pixels. */
const OVERLOOKED = 680;

/** Each group that is open is drawn around its inside, which is laid out as a graph of its own. */
export function nest(data: IGraphData, isOpen: (id: string) => boolean, sizes: ISizes): INested {
  const found: INested = { boxes: new Map(), routes: [], width: 0, height: 0 };
  const made = plan(data, isOpen, sizes, sizes.spacing.margin);
  put(made, 0, 0, null, 1, found);
  return { ...found, width: made.width, height: made.height };
}

interface IPart {
  data: IGraphData;
  inner: Map<string, IPart>;
  nodes: Map<string, IPlaced>;
  routes: IRoute[];
  width: number;
  height: number;
  /** Where the insides of the groups begin. */
  offsets: Map<string, { x: number; y: number }>;
}

function plan(
  data: IGraphData,
  isOpen: (id: string) => boolean,
  sizes: ISizes,
  margin: number
): IPart {
  const inner = new Map<string, IPart>();
  const offsets = new Map<string, { x: number; y: number }>();
  const nodes = data.nodes.map((node): ILayoutNode => {
    const own = sizes.node(node);
    if (!node.inner || !isOpen(node.id)) {
      return { id: node.id, ...own };
    }
    const part = plan(node.inner, isOpen, sizes, 0);
    const head = sizes.head(node);
    const width = Math.max(own.width + 2 * sizes.pad, part.width + 2 * sizes.pad);
    inner.set(node.id, part);
    offsets.set(node.id, { x: (width - part.width) / 2, y: head });
    return { id: node.id, width, height: head + part.height + sizes.pad };
  });
  return { data, inner, offsets, ...packed(nodes, data.edges, { ...sizes.spacing, margin }) };
}

/** What has nothing to do with each other stands side by side, as far as one can overlook it, then below. */
function packed(
  nodes: readonly ILayoutNode[],
  edges: readonly ILayoutEdge[],
  spacing: ISpacing
): ILayout {
  const parts = components(nodes, edges);
  if (parts.length < 2) {
    return layout(nodes, edges, spacing);
  }
  const { margin } = spacing;
  const plans = parts.map(part => layout(part.nodes, part.edges, { ...spacing, margin: 0 }));
  const widest = Math.max(OVERLOOKED, ...plans.map(plan => plan.width));
  const found: ILayout = { nodes: new Map(), routes: [], width: 0, height: 0 };
  let [x, y, tall, order, base, deepest] = [0, 0, 0, 0, 0, 0];
  for (const plan of plans) {
    if (x && x + plan.width > widest) {
      base += deepest + 1;
      y += tall + spacing.y;
      [x, tall, order, deepest] = [0, 0, 0, 0];
    }
    for (const place of plan.nodes.values()) {
      deepest = Math.max(deepest, place.layer);
      found.nodes.set(place.id, {
        ...place,
        x: place.x + x + margin,
        y: place.y + y + margin,
        layer: place.layer + base,
        order: place.order + order
      });
    }
    for (const route of plan.routes) {
      const points = route.points.map(([px, py]): [number, number] => [
        px + x + margin,
        py + y + margin
      ]);
      found.routes.push({ ...route, points });
    }
    x += plan.width + spacing.x;
    order += nodes.length;
    tall = Math.max(tall, plan.height);
    found.width = Math.max(found.width, x - spacing.x + 2 * margin);
    found.height = y + tall + 2 * margin;
  }
  return found;
}

/** Nodes that edges join, whichever way; those with edges first. */
function components(
  nodes: readonly ILayoutNode[],
  edges: readonly ILayoutEdge[]
): { nodes: ILayoutNode[]; edges: ILayoutEdge[] }[] {
  const near = new Map<string, string[]>(nodes.map(node => [node.id, []]));
  for (const { source, target } of edges) {
    near.get(source)?.push(target);
    near.get(target)?.push(source);
  }
  const partOf = new Map<string, number>();
  const parts: { nodes: ILayoutNode[]; edges: ILayoutEdge[] }[] = [];
  for (const node of nodes) {
    if (!partOf.has(node.id)) {
      const stack = [node.id];
      parts.push({ nodes: [], edges: [] });
      for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
        if (!partOf.has(id) && near.has(id)) {
          partOf.set(id, parts.length - 1);
          stack.push(...near.get(id)!);
        }
      }
    }
    parts[partOf.get(node.id)!].nodes.push(node);
  }
  edges.forEach(edge => parts[partOf.get(edge.source) ?? -1]?.edges.push(edge));
  return parts.sort((a, b) => Number(b.edges.length > 0) - Number(a.edges.length > 0));
}

function put(
  part: IPart,
  x: number,
  y: number,
  parent: string | null,
  level: number,
  found: INested
): void {
  const places = [...part.nodes.values()].sort((a, b) => a.layer - b.layer || a.order - b.order);
  const byId = new Map(part.data.nodes.map(node => [node.id, node]));
  places.forEach((place, at) => {
    const node = byId.get(place.id)!;
    const inside = part.inner.get(place.id);
    found.boxes.set(place.id, {
      node,
      place: { ...place, x: place.x + x, y: place.y + y },
      level,
      parent,
      position: at + 1,
      siblings: places.length,
      open: Boolean(inside)
    });
    if (inside) {
      const offset = part.offsets.get(place.id)!;
      put(inside, x + place.x + offset.x, y + place.y + offset.y, place.id, level + 1, found);
    }
  });
  part.routes.forEach(route =>
    found.routes.push({
      ...route,
      points: route.points.map(([px, py]): [number, number] => [px + x, py + y])
    })
  );
}

/** What a key does at a node: go to another one, or fold its group open or shut. */
export type Move = { to: string } | { toggle: string } | null;

/**
 * Up and down go along the arrows, left and right along what stands side by side; as in a tree, right goes into a group
 * and left comes out of it.
 */
export function move(boxes: ReadonlyMap<string, IBox>, from: string, key: string): Move {
  const here = boxes.get(from);
  if (!here) {
    return null;
  }
  const group = Boolean(here.node.inner);
  if (key === 'Enter') {
    return group ? { toggle: from } : null;
  }
  if (key === 'ArrowRight' && group) {
    const first = firstInside(boxes, from);
    return !here.open ? { toggle: from } : first === null ? null : { to: first };
  }
  if (key === 'ArrowLeft' && here.open) {
    return { toggle: from };
  }
  const level = [...boxes.values()].filter(box => box.parent === here.parent);
  if (key === 'ArrowLeft' || key === 'ArrowRight') {
    const step = key === 'ArrowRight' ? 1 : -1;
    const row = level.filter(box => box.place.layer === here.place.layer);
    const next = row.find(box => box.place.order > here.place.order);
    const before = row.filter(box => box.place.order < here.place.order).pop();
    const found = step > 0 ? next : before;
    return found ? { to: found.node.id } : step < 0 && here.parent ? { to: here.parent } : null;
  }
  if (key === 'ArrowDown' && here.open) {
    const first = firstInside(boxes, from);
    return first ? { to: first } : null;
  }
  return vertical(boxes, here, level, key);
}

function firstInside(boxes: ReadonlyMap<string, IBox>, id: string): string | null {
  return [...boxes.values()].find(box => box.parent === id)?.node.id ?? null;
}

function vertical(
  boxes: ReadonlyMap<string, IBox>,
  here: IBox,
  level: readonly IBox[],
  key: string
): Move {
  const down = key === 'ArrowDown';
  const middle = (box: IBox) => box.place.x + box.place.width / 2;
  const rest = level.filter(box =>
    down ? box.place.layer > here.place.layer : box.place.layer < here.place.layer
  );
  if (rest.length) {
    const layers = rest.map(box => box.place.layer);
    const layer = down ? Math.min(...layers) : Math.max(...layers);
    const row = rest.filter(box => box.place.layer === layer);
    row.sort((a, b) => Math.abs(middle(a) - middle(here)) - Math.abs(middle(b) - middle(here)));
    return { to: row[0].node.id };
  }
  const parent = here.parent === null ? undefined : boxes.get(here.parent);
  if (!parent) {
    return null;
  }
  if (!down) {
    return { to: parent.node.id };
  }
  const outer = [...boxes.values()].filter(box => box.parent === parent.parent);
  return vertical(boxes, parent, outer, key);
}
