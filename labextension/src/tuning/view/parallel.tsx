import * as React from 'react';

import type { ISurface } from '../../chart/canvas';
import { Canvas, shadeColour, useSize } from '../../chart/canvas';
import { clipped, Tip } from '../../chart/plot';
import type { IAxis } from '../model/axes';
import type { Brush } from '../model/brush';
import { isBrushed } from '../model/brush';
import { AxisBrush } from './axisbrush';

const PAD = { left: 62, right: 46, top: 34, bottom: 14 };
/** Axes nearer than this to each other cannot be read; then the picture scrolls. */
const APART = 86;
/** More lines than this are thinned: the eye cannot tell, and the page stays quick. */
export const MOST_LINES = 2000;
const SHADES = 10;
const NEAR = 7;

/** A trial as shares of the axes, NaN where it has no value; the best have the shade 1. */
export interface IParallelLine {
  readonly key: string;
  readonly at: readonly number[];
  readonly shade: number;
  readonly pruned: boolean;
}

export interface IParallelProps {
  label: string;
  axes: readonly IAxis[];
  /** Worst first. */
  lines: readonly IParallelLine[];
  brush: Brush;
  onBrush: (brush: Brush) => void;
  /** Which lines lie in the brush; null if all. */
  passed: ReadonlySet<string> | null;
  selected: string | null;
  title: (key: string) => React.ReactNode;
  onPick: (key: string) => void;
}

/** One line per trial over one axis per parameter; each axis takes a range, by pointer or by keys. */
export function Parallel(props: IParallelProps): JSX.Element {
  const { axes, lines, passed, selected } = props;
  const frame = React.useRef<HTMLDivElement>(null);
  const size = useSize(frame);
  const [hovered, setHovered] = React.useState<{ key: string; x: number; y: number } | null>(null);
  const width = Math.max(size.width, PAD.left + PAD.right + (axes.length - 1) * APART);
  const { height } = size;
  const plan = React.useMemo(
    () => placing(axes.length, width, height),
    [axes.length, width, height]
  );
  const draw = React.useCallback(
    (surface: ISurface) => {
      const back = isBrushed(props.brush) ? thinned(lines, MOST_LINES / 3) : [];
      const front = thinned(
        passed ? lines.filter(line => passed.has(line.key)) : lines,
        MOST_LINES
      );
      paint(surface, plan, back, front);
      const marked = lines.filter(line => line.key === selected || line.key === hovered?.key);
      highlight(surface, plan, marked);
    },
    [lines, passed, selected, hovered?.key, props.brush, plan]
  );
  const point = (event: React.MouseEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const key = lineAt(passed ? lines.filter(line => passed.has(line.key)) : lines, plan, x, y);
    return key ? { key, x, y } : null;
  };
  return (
    <div className="jk-Parallel" ref={frame} role="group" aria-label={props.label}>
      {height > 0 && (
        <div
          className={hovered ? 'jk-Parallel-inner jk-mod-pick' : 'jk-Parallel-inner'}
          style={{ width }}
          onPointerMove={event => setHovered(event.buttons ? null : point(event))}
          onPointerLeave={() => setHovered(null)}
          onClick={event => {
            const found = point(event);
            if (found && !(event.target as HTMLElement).closest('.jk-AxisBrush')) {
              props.onPick(found.key);
            }
          }}
        >
          <Canvas width={width} height={height} draw={draw} />
          <AxisLabels axes={axes} plan={plan} width={width} height={height} />
          {axes.map((axis, index) => (
            <AxisBrush
              key={axis.id}
              axis={axis}
              left={plan.x(index)}
              top={PAD.top}
              height={height - PAD.top - PAD.bottom}
              brush={props.brush}
              onBrush={props.onBrush}
            />
          ))}
          {hovered && (
            <Tip left={hovered.x} top={hovered.y} width={width}>
              {props.title(hovered.key)}
            </Tip>
          )}
        </div>
      )}
    </div>
  );
}

interface IPlan {
  readonly count: number;
  x(index: number): number;
  y(share: number): number;
}

function placing(count: number, width: number, height: number): IPlan {
  const between = count > 1 ? (width - PAD.left - PAD.right) / (count - 1) : 0;
  return {
    count,
    x: index => PAD.left + index * between,
    y: share => height - PAD.bottom - share * (height - PAD.top - PAD.bottom)
  };
}

function AxisLabels(props: {
  axes: readonly IAxis[];
  plan: IPlan;
  width: number;
  height: number;
}): JSX.Element {
  const { axes, plan, width, height } = props;
  const room = axes.length > 1 ? plan.x(1) - plan.x(0) : width;
  const most = Math.max(2, Math.floor((height - PAD.top - PAD.bottom) / 30));
  return (
    <svg
      className="jk-Chart-axes jk-Parallel-axes"
      width={width}
      height={height}
      aria-hidden="true"
    >
      {axes.map((axis, index) => (
        <g key={axis.id}>
          <line x1={plan.x(index)} x2={plan.x(index)} y1={plan.y(0)} y2={plan.y(1)} />
          <text className="jk-Parallel-name" x={plan.x(index)} y={15} textAnchor="middle">
            <title>{axis.label}</title>
            {clipped(axis.label, room - 10)}
          </text>
          {axis.scale.ticks(most).map(tick => (
            <text
              key={tick.label}
              x={plan.x(index) - 9}
              y={plan.y(tick.at) + 3.5}
              textAnchor="end"
              className="jk-Parallel-tick"
            >
              {clipped(tick.label, Math.min(room - 24, 60))}
            </text>
          ))}
        </g>
      ))}
    </svg>
  );
}

function thinned<T>(items: readonly T[], most: number): readonly T[] {
  if (items.length <= most) {
    return items;
  }
  const every = items.length / most;
  return Array.from({ length: most }, (_, index) => items[Math.floor(index * every)]);
}

function paint(
  surface: ISurface,
  plan: IPlan,
  back: readonly IParallelLine[],
  front: readonly IParallelLine[]
): void {
  const { context } = surface;
  context.lineJoin = 'round';
  context.lineWidth = 1;
  if (back.length) {
    context.strokeStyle = surface.colour('var(--jp-ui-font-color0)');
    context.globalAlpha = back.length > 300 ? 0.05 : 0.1;
    trace(context, plan, back);
  }
  const many = front.length > 500;
  for (let shade = 0; shade < SHADES; shade++) {
    const some = front.filter(
      line => Math.min(SHADES - 1, Math.floor(line.shade * SHADES)) === shade
    );
    const share = shade / (SHADES - 1);
    context.strokeStyle = surface.colour(shadeColour(share));
    context.globalAlpha = many ? 0.2 + 0.5 * share : 0.4 + 0.5 * share ** 2;
    context.lineWidth = many ? 1 : 1 + share ** 3;
    context.setLineDash([]);
    trace(
      context,
      plan,
      some.filter(line => !line.pruned)
    );
    context.setLineDash([3, 3]);
    trace(
      context,
      plan,
      some.filter(line => line.pruned)
    );
  }
  context.setLineDash([]);
  context.globalAlpha = 1;
}

function highlight(surface: ISurface, plan: IPlan, lines: readonly IParallelLine[]): void {
  const { context } = surface;
  context.lineWidth = 2.5;
  context.strokeStyle = surface.colour('var(--jp-ui-font-color0)');
  trace(context, plan, lines);
}

/** In pieces: one path with tens of thousands of corners is slow to stroke. */
function trace(context: CanvasRenderingContext2D, plan: IPlan, lines: readonly IParallelLine[]) {
  for (let from = 0; from < lines.length; from += 100) {
    context.beginPath();
    for (const line of lines.slice(from, from + 100)) {
      let drawing = false;
      line.at.forEach((share, index) => {
        if (!Number.isFinite(share)) {
          drawing = false;
        } else if (drawing) {
          context.lineTo(plan.x(index), plan.y(share));
        } else {
          context.moveTo(plan.x(index), plan.y(share));
          drawing = true;
        }
      });
    }
    context.stroke();
  }
}

/** The line nearest to a point, if it is near; of several the best. */
function lineAt(lines: readonly IParallelLine[], plan: IPlan, x: number, y: number): string | null {
  const between = plan.count > 1 ? plan.x(1) - plan.x(0) : 1;
  const index = Math.min(plan.count - 2, Math.max(0, Math.floor((x - plan.x(0)) / between)));
  const share = (x - plan.x(index)) / between;
  let found: string | null = null;
  let least = NEAR;
  for (const line of lines) {
    const [a, b] = [line.at[index], line.at[index + 1]];
    const distance = Math.abs(plan.y(a + (b - a) * share) - y);
    if (distance <= least) {
      found = line.key;
      least = distance;
    }
  }
  return share >= -0.05 && share <= 1.05 ? found : null;
}
