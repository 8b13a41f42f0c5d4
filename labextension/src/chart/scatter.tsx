import * as React from 'react';

import type { ISurface } from './canvas';
import type { IMark, Place } from './plot';
import { Plot } from './plot';
import type { IScale } from './scales';

/** How a mark looks: by its shape as well as its colour. */
export type MarkTone = 'plain' | 'best' | 'pruned' | 'failed' | 'running';

export interface IScatterMark extends IMark {
  readonly key: string;
  readonly tone: MarkTone;
  /** Drawn as background: not among those that were chosen. */
  readonly faint: boolean;
}

const COLOURS: Record<MarkTone, string> = {
  plain: 'var(--jp-brand-color1)',
  best: 'var(--jk-good-color)',
  pruned: 'var(--jk-wait-color)',
  failed: 'var(--jk-bad-color)',
  running: 'var(--jp-brand-color1)'
};

/** Marks over two axes, any number of them; a staircase through some, if given. */
export function Scatter<M extends IScatterMark>(props: {
  x: IScale;
  y: IScale;
  xName: string;
  yName: string;
  height?: number;
  marks: readonly M[];
  /** Corners of a staircase from left to right, as shares. */
  stairs?: readonly IMark[];
  selected?: string | null;
  title: (mark: M) => React.ReactNode;
  onPick?: (mark: M, event: React.MouseEvent) => void;
}): JSX.Element {
  const { marks, stairs, selected } = props;
  const draw = React.useCallback(
    (surface: ISurface, place: Place) => {
      // Few marks may be large; thousands become a cloud.
      const crowd = (marks.length * 200_000) / Math.max(1, surface.width * surface.height);
      const size = crowd > 9000 ? 1 : crowd > 2000 ? 1.5 : crowd > 250 ? 2.3 : 3.2;
      for (const faint of [true, false]) {
        for (const tone of ['pruned', 'plain', 'running', 'failed', 'best'] as const) {
          const some = marks.filter(mark => mark.tone === tone && mark.faint === faint);
          const alpha = tone === 'best' ? 1 : crowd > 2000 ? 0.55 : 0.8;
          surface.context.globalAlpha = faint ? 0.12 : alpha;
          marksOf(surface, place, some, tone, tone === 'best' ? Math.max(4.2, size + 1.8) : size);
        }
      }
      surface.context.globalAlpha = 1;
      if (stairs?.length) {
        staircase(surface, place, stairs);
      }
      const chosen = selected && marks.find(mark => mark.key === selected);
      if (chosen) {
        ring(surface, place, chosen);
      }
    },
    [marks, stairs, selected]
  );
  return (
    <Plot
      x={props.x}
      y={props.y}
      xName={props.xName}
      yName={props.yName}
      height={props.height}
      marks={marks}
      draw={draw}
      title={props.title}
      onPick={props.onPick}
    />
  );
}

function marksOf(
  surface: ISurface,
  place: Place,
  marks: readonly IMark[],
  tone: MarkTone,
  size: number
): void {
  const { context } = surface;
  if (!marks.length) {
    return;
  }
  context.strokeStyle = context.fillStyle = surface.colour(COLOURS[tone]);
  context.lineWidth = Math.max(1, size / 2.2);
  context.beginPath();
  for (const mark of marks) {
    const [x, y] = place(mark.x, mark.y);
    if (tone === 'pruned' || tone === 'failed') {
      context.moveTo(x - size, y - size);
      context.lineTo(x + size, y + size);
      context.moveTo(x - size, y + size);
      context.lineTo(x + size, y - size);
    } else if (size < 2) {
      // A square of this size looks like a dot, and ten thousand of them take no time.
      context.rect(x - size, y - size, 2 * size, 2 * size);
    } else {
      context.moveTo(x + size, y);
      context.arc(x, y, size, 0, 2 * Math.PI);
    }
  }
  if (tone === 'plain' || tone === 'best') {
    context.fill();
  } else {
    context.stroke();
  }
}

function staircase(surface: ISurface, place: Place, stairs: readonly IMark[]): void {
  const { context } = surface;
  context.strokeStyle = surface.colour('var(--jk-good-color)');
  context.lineWidth = 2;
  context.lineJoin = 'round';
  context.beginPath();
  let last: [number, number] | null = null;
  for (const corner of stairs) {
    const [x, y] = place(corner.x, corner.y);
    if (last) {
      context.lineTo(x, last[1]);
      context.lineTo(x, y);
    } else {
      context.moveTo(x, y);
    }
    last = [x, y];
  }
  context.stroke();
}

function ring(surface: ISurface, place: Place, mark: IMark): void {
  const { context } = surface;
  const [x, y] = place(mark.x, mark.y);
  context.strokeStyle = surface.colour('var(--jp-ui-font-color0)');
  context.lineWidth = 1.5;
  context.beginPath();
  context.arc(x, y, 7, 0, 2 * Math.PI);
  context.stroke();
}
