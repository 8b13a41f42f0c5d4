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
