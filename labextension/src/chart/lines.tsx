import * as React from 'react';

import { number } from '../format';
import { useTrans } from '../ui/context';
import { ChartCursor } from './cursor';
import { Figure } from './figure';
import type { IScale } from './scales';
import { linear, log } from './scales';
import type { IXY } from './smooth';
import { nearest, range, thin } from './smooth';
import { useWidth } from './size';

export interface ILine extends IXY {
  readonly key: string;
  readonly name: string;
  /** Number of a colour of the palette. */
  readonly colour: number;
  /** A thin line is one of several behind the main one; a faint one is its raw form. */
  readonly weight: 'main' | 'thin' | 'faint';
}

export interface IAxis {
  readonly name: string;
  readonly format?: (value: number) => string;
}

export interface ILinesProps {
  readonly label: string;
  readonly x: IAxis & {
    /** What is shown of it; the extent of the lines without. */
    readonly domain?: [number, number];
    /** From the cursor's unit to this axis and back, where they differ. */
    readonly fromCursor?: (at: number) => number;
    readonly toCursor?: (x: number) => number;
  };
  readonly y: IAxis & { readonly log?: boolean; readonly domain?: [number, number] };
  readonly lines: readonly ILine[];
  readonly cursor?: ChartCursor;
  readonly height?: number;
}

export const PAD = { left: 48, right: 10, top: 8, bottom: 22 };

interface IPlot {
  width: number;
  height: number;
  x: IScale;
  y: IScale;
  px: (value: number) => number;
  py: (value: number) => number;
}

function plotOf(props: ILinesProps, width: number, height: number): IPlot {
  const { lines, x, y } = props;
  const ends = lines.flatMap(line => (line.x.length ? [line.x[0], line.x[line.x.length - 1]] : []));
  const across = x.domain ?? [Math.min(...ends, Infinity), Math.max(...ends, -Infinity)];
  const [from, to] = across[0] <= across[1] ? across : [0, 1];
  const up = y.domain ?? range(lines, y.log) ?? [0, 1];
  const xs = linear(from, to);
  const ys = y.log && up[0] > 0 ? log(up[0], up[1]) : linear(...roomy(up));
  const wide = Math.max(10, width - PAD.left - PAD.right);
  const high = height - PAD.top - PAD.bottom;
  return {
    width,
    height,
    x: xs,
    y: ys,
    px: value => PAD.left + xs.at(value) * wide,
    py: value => PAD.top + (1 - ys.at(value)) * high
  };
}

/** A little air above and below, but none below zero where nothing is below zero. */
function roomy([low, high]: [number, number]): [number, number] {
  const by = (high - low) * 0.04;
  return [low >= 0 && low - by < 0 ? Math.min(low, 0) : low - by, high + by];
}

function pathOf(line: ILine, plot: IPlot): string {
  const from = Number(plot.x.value(0));
  const to = Number(plot.x.value(1));
  let drawn = '';
  let pen = false;
  for (const index of thin(line, from, to, plot.width)) {
    const y = plot.py(line.y[index]);
    const x = plot.px(line.x[index]);
    if (!Number.isFinite(y) || !Number.isFinite(x)) {
      pen = false;
      continue;
    }
    drawn += `${pen ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = true;
  }
  return drawn;
}

/** Many lines over common axes. Charts with the same cursor show the same moment. */
export function Lines(props: ILinesProps): JSX.Element {
  const trans = useTrans();
  const host = React.useRef<HTMLDivElement>(null);
  const own = React.useMemo(() => new ChartCursor(), []);
  const cursor = props.cursor ?? own;
  const height = props.height ?? 170;
  const width = useWidth(host);
  const plot = plotOf(props, width, height);
  const main = props.lines.filter(line => line.weight === 'main');
  const move = (x: number | null) =>
    cursor.set(x === null ? null : (props.x.toCursor?.(x) ?? x), host.current);
  const xOf = (event: React.PointerEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    const share = (event.clientX - box.left - PAD.left) / (width - PAD.left - PAD.right);
    return Number(plot.x.value(Math.min(1, Math.max(0, share))));
  };
  return (
    <Figure
      label={props.label}
      head={[trans.__('Line'), props.x.name, props.y.name]}
      rows={() => tableRows(props)}
      live
    >
      <div
        className="jk-Lines"
        ref={host}
        style={{ height }}
        role="group"
        tabIndex={0}
        aria-label={trans.__('%1. Arrow keys move along it.', props.label)}
        onPointerMove={event => move(xOf(event))}
        onPointerLeave={() => move(null)}
        onBlur={() => move(null)}
        onKeyDown={event => onKeys(event, main[0] ?? props.lines[0], cursor, props, move)}
      >
        {width > 0 && (
          <svg width={width} height={height} aria-hidden="true">
            <Axes plot={plot} x={props.x} y={props.y} />
            <Paths lines={props.lines} plot={plot} />
          </svg>
        )}
        {width > 0 && <Pointed {...props} plot={plot} cursor={cursor} host={host} />}
      </div>
    </Figure>
  );
}

function tableRows(props: ILinesProps): (string | number)[][] {
  return props.lines
    .filter(line => line.weight !== 'faint')
    .flatMap(line => {
      const step = Math.max(1, Math.ceil(line.x.length / 20));
      return line.x
        .map((x, index) => [line.name, x, line.y[index]])
        .filter((_, index) => index % step === 0 || index === line.x.length - 1);
    });
}

function onKeys(
  event: React.KeyboardEvent,
  line: ILine | undefined,
  cursor: ChartCursor,
  props: ILinesProps,
  move: (x: number | null) => void
): void {
  const by = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
  if (event.key === 'Escape') {
    move(null);
  }
  if (!by || !line?.x.length) {
    return;
  }
  const at = cursor.at === null ? null : (props.x.fromCursor?.(cursor.at) ?? cursor.at);
  const here = at === null ? (by > 0 ? -1 : line.x.length) : nearest(line.x, at);
  const step = Math.max(1, Math.round(line.x.length / 100)) * by;
  move(line.x[Math.min(line.x.length - 1, Math.max(0, here + step))]);
  event.preventDefault();
  event.stopPropagation();
}

function Paths(props: { lines: readonly ILine[]; plot: IPlot }): JSX.Element {
  const { lines, plot } = props;
  const order = { faint: 0, thin: 1, main: 2 };
  const sorted = [...lines].sort((a, b) => order[a.weight] - order[b.weight]);
  return (
    <g className="jk-Lines-paths">
      {sorted.map(line => (
        <path
          key={line.key}
          className={`jk-c${line.colour % 8} jk-mod-${line.weight}`}
          d={pathOf(line, plot)}
        />
      ))}
      {sorted
        .filter(line => line.x.length === 1)
        .map(line => (
          <circle
            key={line.key}
            className={`jk-c${line.colour % 8}`}
            cx={plot.px(line.x[0])}
            cy={plot.py(line.y[0])}
            r={2.5}
          />
        ))}
    </g>
  );
}

function Axes(props: { plot: IPlot; x: IAxis; y: IAxis }): JSX.Element {
  const { plot } = props;
  const bottom = plot.height - PAD.bottom;
  const right = plot.width - PAD.right;
  const text = (axis: IAxis, scale: IScale, at: number, label: string) =>
    axis.format ? axis.format(Number(scale.value(at))) : label;
  return (
    <g className="jk-Lines-axes">
      {plot.y.ticks(5).map(({ at, label }) => {
        const y = PAD.top + (1 - at) * (bottom - PAD.top);
        return (
          <g key={at}>
            <line x1={PAD.left} x2={right} y1={y} y2={y} />
            <text x={PAD.left - 6} y={y + 3.5} textAnchor="end">
              {text(props.y, plot.y, at, label)}
            </text>
          </g>
        );
      })}
      {plot.x.ticks(Math.max(2, Math.floor(plot.width / 70))).map(({ at, label }) => (
        <text
          key={at}
          x={PAD.left + at * (right - PAD.left)}
          y={bottom + 15}
          textAnchor={at > 0.97 ? 'end' : 'middle'}
        >
          {text(props.x, plot.x, at, label)}
        </text>
      ))}
    </g>
  );
}

const MOST = 9;

/** What the lines are at the moment that is pointed at: a mark on each, and their values. */
function Pointed(
  props: ILinesProps & {
    plot: IPlot;
    cursor: ChartCursor;
    host: React.RefObject<HTMLElement>;
  }
): JSX.Element | null {
  const { cursor, plot, lines } = props;
  const subscribe = React.useCallback(
    (call: () => void) => {
      cursor.changed.connect(call);
      return () => void cursor.changed.disconnect(call);
    },
    [cursor]
  );
  const at = React.useSyncExternalStore(subscribe, () => cursor.at);
  if (at === null) {
    return null;
  }
  const x = props.x.fromCursor?.(at) ?? at;
  const share = plot.x.at(x);
  if (!(share >= -0.001 && share <= 1.001)) {
    return null;
  }
  const order = { main: 0, thin: 1, faint: 2 };
  const found = lines
    .filter(line => line.x.length && line.weight !== 'faint')
    .map(line => ({ line, index: nearest(line.x, x) }))
    .sort((a, b) => order[a.line.weight] - order[b.line.weight]);
  const left = plot.px(x);
  const format = (axis: IAxis, value: number) => axis.format?.(value) ?? number(value);
  const pointed = cursor.owner === props.host.current;
  return (
    <div className="jk-Lines-pointed">
      <i style={{ left }} />
      {found.slice(0, MOST).map(({ line, index }) => (
        <b
          key={line.key}
          className={`jk-c${line.colour % 8}`}
          style={{ left: plot.px(line.x[index]), top: plot.py(line.y[index]) }}
          hidden={!Number.isFinite(plot.py(line.y[index]))}
        />
      ))}
      <dl
        className={share > 0.55 ? 'jk-mod-left' : undefined}
        style={share > 0.55 ? { right: plot.width - left + 10 } : { left: left + 10 }}
        role={pointed ? 'status' : undefined}
        aria-hidden={pointed ? undefined : true}
      >
        <div className="jk-Lines-x">
          <dt>{props.x.name}</dt>
          <dd>{format(props.x, found[0] ? found[0].line.x[found[0].index] : x)}</dd>
        </div>
        {found.slice(0, MOST).map(({ line, index }) => (
          <div key={line.key} className={`jk-c${line.colour % 8}`}>
            <dt dir="auto">{line.name}</dt>
            <dd>{format(props.y, line.y[index])}</dd>
          </div>
        ))}
        {found.length > MOST && <div className="jk-Lines-x">+{found.length - MOST}</div>}
      </dl>
    </div>
  );
}
