/** Where a drawing stands in its window: screen = drawing × scale + offset. */
export interface IViewport {
  x: number;
  y: number;
  scale: number;
}

export const MIN_SCALE = 0.2;
export const MAX_SCALE = 2;

export function clampScale(scale: number): number {
  return Math.min(MAX_SCALE, Math.max(MIN_SCALE, scale));
}

/** Change the scale while the point under the pointer stays where it is. */
export function zoomAt(view: IViewport, factor: number, x: number, y: number): IViewport {
  const scale = clampScale(view.scale * factor);
  const ratio = scale / view.scale;
  return { scale, x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio };
}

/** Show all of it if it stays readable, else its full width (or half size) from the top. */
export function fit(
  drawing: { width: number; height: number },
  window: { width: number; height: number },
  readable = 0.62
): IViewport {
  const whole = Math.min(1, window.width / drawing.width, window.height / drawing.height);
  const scale = clampScale(
    whole >= readable ? whole : Math.max(Math.min(1, window.width / drawing.width), 0.5)
  );
  const x = (window.width - drawing.width * scale) / 2;
  const y = (window.height - drawing.height * scale) / 2;
  return { scale, x, y: Math.max(0, Math.min(y, 24)) };
}

/** Move as little as needed so that a box lies inside the window. */
export function reveal(
  view: IViewport,
  box: { x: number; y: number; width: number; height: number },
  window: { width: number; height: number },
  margin = 16
): IViewport {
  const left = box.x * view.scale + view.x;
  const top = box.y * view.scale + view.y;
  return {
    scale: view.scale,
    x: view.x + shift(left, left + box.width * view.scale, window.width, margin),
    y: view.y + shift(top, top + box.height * view.scale, window.height, margin)
  };
}

function shift(from: number, to: number, size: number, margin: number): number {
  if (from < margin) {
    return margin - from;
  }
  return to > size - margin ? Math.max(size - margin - to, margin - from) : 0;
}

export interface INeighbour {
  id: string;
  x: number;
  width: number;
  layer: number;
  order: number;
}

/** Which node an arrow key goes to: along the layer, or to the nearest one in the next layer that has any. */
export function neighbour(
  nodes: readonly INeighbour[],
  from: string,
  key: string
): string | undefined {
  const here = nodes.find(node => node.id === from);
  if (!here) {
    return nodes[0]?.id;
  }
  const middle = (node: INeighbour) => node.x + node.width / 2;
  if (key === 'ArrowLeft' || key === 'ArrowRight') {
    const row = nodes.filter(node => node.layer === here.layer).sort((a, b) => a.order - b.order);
    return row[row.indexOf(here) + (key === 'ArrowRight' ? 1 : -1)]?.id;
  }
  const down = key === 'ArrowDown';
  const rest = nodes.filter(node => (down ? node.layer > here.layer : node.layer < here.layer));
  const layers = rest.map(node => node.layer);
  const layer = down ? Math.min(...layers) : Math.max(...layers);
  return rest
    .filter(node => node.layer === layer)
    .sort((a, b) => Math.abs(middle(a) - middle(here)) - Math.abs(middle(b) - middle(here)))[0]?.id;
}
