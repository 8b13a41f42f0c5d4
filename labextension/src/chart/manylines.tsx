import * as React from 'react';

import type { ISurface } from './canvas';
import { shadeColour } from './canvas';
import type { IMark, Place } from './plot';
import { Plot } from './plot';
import type { IScale } from './scales';

export type LineTone = 'plain' | 'best' | 'pruned' | 'running' | 'selected';

export interface IManyLine {
  readonly key: string;
  readonly tone: LineTone;
  /** 0 for the worst to 1 for the best: how much of the theme's colour a plain line has. */
  readonly shade: number;
  /** A colour of its own, as style sheets write it, instead of its tone's. */
  readonly colour?: string;
  /** Shares of the axes, from left to right. */
  readonly points: readonly IMark[];
}

interface ILineMark extends IMark {
  readonly key: string;
}

const LOOKS: Record<
  LineTone | 'own',
  { colour: string; width: number; alpha: number; dash: number[] }
> = {
  plain: { colour: 'var(--jp-brand-color1)', width: 1, alpha: 0.7, dash: [] },
  pruned: { colour: 'var(--jk-wait-color)', width: 1, alpha: 0.6, dash: [3, 3] },
  running: { colour: 'var(--jp-brand-color1)', width: 1.6, alpha: 0.9, dash: [6, 3] },
  own: { colour: '', width: 1.8, alpha: 1, dash: [] },
  best: { colour: 'var(--jk-good-color)', width: 2.4, alpha: 1, dash: [] },
  selected: { colour: 'var(--jp-ui-font-color0)', width: 2, alpha: 1, dash: [] }
};

const ORDER: readonly LineTone[] = ['plain', 'pruned', 'running', 'best', 'selected'];

/** Hundreds of lines; where a pruned one ends is marked. */
export function ManyLines(props: {
  x: IScale;
  y: IScale;
  xName: string;
  yName: string;
  lines: readonly IManyLine[];
  title: (key: string, at: IMark) => React.ReactNode;
  onPick?: (key: string) => void;
}): JSX.Element {
  const { lines } = props;
  const marks = React.useMemo(
    () => lines.flatMap(line => line.points.map((at): ILineMark => ({ ...at, key: line.key }))),
    [lines]
  );
  const draw = React.useCallback(
    (surface: ISurface, place: Place) => {
      for (const tone of ORDER) {
        const some = lines.filter(line => line.tone === tone && !line.colour);
        if (tone === 'plain') {
          shaded(some).forEach(([colour, group]) => linesOf(surface, place, group, tone, colour));
        } else {
          linesOf(surface, place, some, tone, LOOKS[tone].colour);
        }
      }
      for (const line of lines.filter(each => each.colour)) {
        linesOf(surface, place, [line], 'own', line.colour ?? '');
      }
      surface.context.globalAlpha = 1;
      surface.context.setLineDash([]);
    },
    [lines]
  );
  return (
    <Plot
      x={props.x}
      y={props.y}
      xName={props.xName}
      yName={props.yName}
      marks={marks}
      draw={draw}
      title={mark => props.title(mark.key, mark)}
      onPick={mark => props.onPick?.(mark.key)}
    />
  );
}

const SHADES = 8;

/** Groups of about one shade, the worst first. */
function shaded(lines: readonly IManyLine[]): [string, IManyLine[]][] {
  const groups = Array.from({ length: SHADES }, (): IManyLine[] => []);
  for (const line of lines) {
    groups[Math.min(SHADES - 1, Math.floor(line.shade * SHADES))].push(line);
  }
  return groups.map((group, index) => [shadeColour(index / (SHADES - 1)), group]);
}

function linesOf(
  surface: ISurface,
  place: Place,
  lines: readonly IManyLine[],
  tone: LineTone | 'own',
  colour: string
): void {
  const { context } = surface;
  const look = LOOKS[tone];
  context.strokeStyle = surface.colour(colour);
  context.lineWidth = look.width;
  context.globalAlpha = look.alpha;
  context.setLineDash(look.dash);
  context.beginPath();
  for (const line of lines) {
    line.points.forEach((point, index) => {
      const [x, y] = place(point.x, point.y);
      if (index) {
        context.lineTo(x, y);
      } else {
        context.moveTo(x, y);
      }
    });
    if (line.points.length === 1) {
      const [x, y] = place(line.points[0].x, line.points[0].y);
      context.lineTo(x + 2, y);
    }
  }
  context.stroke();
  if (tone === 'pruned') {
    context.setLineDash([]);
    context.lineWidth = 1.5;
    context.globalAlpha = 0.9;
    context.beginPath();
    for (const { points } of lines.filter(line => line.points.length)) {
      const last = points[points.length - 1];
      const [x, y] = place(last.x, last.y);
      context.moveTo(x - 3, y - 3);
      context.lineTo(x + 3, y + 3);
      context.moveTo(x - 3, y + 3);
      context.lineTo(x + 3, y - 3);
    }
    context.stroke();
  }
}
