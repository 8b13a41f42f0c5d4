import * as React from 'react';

import type { ISurface } from './canvas';
import { Canvas, useSize } from './canvas';
import type { IScale } from './scales';

const PAD = { left: 50, right: 14, top: 12, bottom: 36 };
/** How far from a mark a pointer may be, in pixels. */
const NEAR = 24;

/** Pixels of a place, given as shares of both axes. */
export type Place = (x: number, y: number) => [number, number];

export interface IMark {
  /** Shares of the axes. */
  readonly x: number;
  readonly y: number;
}

/** Axes, a canvas between them, and what the pointer is at. */
export function Plot<M extends IMark>(props: {
  x: IScale;
  y: IScale;
  xName: string;
  yName: string;
  height?: number;
  /** What can be pointed at. */
  marks: readonly M[];
  draw: (surface: ISurface, place: Place) => void;
  /** Said beside the pointer. */
  title: (mark: M) => React.ReactNode;
  onPick?: (mark: M, event: React.MouseEvent) => void;
}): JSX.Element {
  const { x, y, marks, draw } = props;
  const frame = React.useRef<HTMLDivElement>(null);
  const { width, height } = useSize(frame);
  const [at, setAt] = React.useState<M | null>(null);
  const place = React.useCallback<Place>(
    (shareX, shareY) => [
      PAD.left + shareX * (width - PAD.left - PAD.right),
      height - PAD.bottom - shareY * (height - PAD.top - PAD.bottom)
    ],
    [width, height]
  );
  const drawn = React.useCallback((surface: ISurface) => draw(surface, place), [draw, place]);
  const find = (event: React.MouseEvent): M | null => {
    const box = frame.current?.getBoundingClientRect();
    return box ? nearest(marks, place, event.clientX - box.left, event.clientY - box.top) : null;
  };
  const here = at && marks.includes(at) ? at : null;
  const spot = here && place(here.x, here.y);
  return (
    <div
      className={here && props.onPick ? 'jk-Plot jk-mod-pick' : 'jk-Plot'}
      ref={frame}
      style={props.height ? { height: props.height } : undefined}
      onPointerMove={event => setAt(find(event))}
      onPointerLeave={() => setAt(null)}
      onClick={event => {
        const found = find(event);
        if (found) {
          props.onPick?.(found, event);
        }
      }}
    >
      {width > 0 && height > 0 && (
        <>
          <PlotAxes {...{ x, y, width, height, place }} xName={props.xName} yName={props.yName} />
          <Canvas width={width} height={height} draw={drawn} />
          {here && spot && (
            <>
              <i className="jk-Plot-ring" style={{ left: spot[0], top: spot[1] }} />
              <Tip left={spot[0]} top={spot[1]} width={width}>
                {props.title(here)}
              </Tip>
            </>
          )}
        </>
      )}
    </div>
  );
}

function nearest<M extends IMark>(
  marks: readonly M[],
  place: Place,
  left: number,
  top: number
): M | null {
  let found: M | null = null;
  let least = NEAR * NEAR;
  for (const mark of marks) {
    const [x, y] = place(mark.x, mark.y);
    const distance = (x - left) ** 2 + (y - top) ** 2;
    if (distance < least) {
      found = mark;
      least = distance;
    }
  }
  return found;
}

/** What is under the pointer, in words; it stays inside of the picture. */
export function Tip(props: {
  left: number;
  top: number;
  width: number;
  children: React.ReactNode;
}): JSX.Element {
  const { left, top, width } = props;
  const side = left > width / 2 ? { right: width - left + 10 } : { left: left + 10 };
  return (
    <div className="jk-Plot-tip" style={{ ...side, top: Math.max(0, top - 12) }}>
      {props.children}
    </div>
  );
}

function PlotAxes(props: {
  x: IScale;
  y: IScale;
  width: number;
  height: number;
  place: Place;
  xName: string;
  yName: string;
}): JSX.Element {
  const { x, y, width, height, place } = props;
  const [left, bottom] = place(0, 0);
  const [right] = place(1, 1);
  const inside = (tick: { at: number }) => tick.at >= -1e-6 && tick.at <= 1 + 1e-6;
  const across = x.ticks(Math.max(2, Math.floor((right - left) / 50))).filter(inside);
  const up = y.ticks(Math.max(2, Math.floor(height / 36))).filter(inside);
  const room = (right - left) / Math.max(1, across.length);
  return (
    <svg className="jk-Chart-axes" width={width} height={height} aria-hidden="true">
      {up.map(tick => {
        const top = place(0, tick.at)[1];
        return (
          <g key={tick.label}>
            <line x1={left} x2={right} y1={top} y2={top} />
            <text x={left - 7} y={top + 3.5} textAnchor="end">
              {clipped(tick.label, PAD.left - 8)}
            </text>
          </g>
        );
      })}
      {across.map(tick => (
        <text key={tick.label} x={place(tick.at, 0)[0]} y={bottom + 15} textAnchor="middle">
          {clipped(tick.label, room)}
        </text>
      ))}
      <text x={(left + right) / 2} y={height - 5} textAnchor="middle" className="jk-Plot-name">
        {clipped(props.xName, right - left)}
      </text>
      <text x={left} y={9} textAnchor="start" className="jk-Plot-name">
        {clipped(props.yName, right - left)}
      </text>
    </svg>
  );
}

/** As many characters as fit in so many pixels. */
export function clipped(text: string, room: number): string {
  const most = Math.max(3, Math.floor(room / 6));
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
