import * as React from 'react';

import { short } from '../../chart/scales';
import { useTrans } from '../../ui/context';
import type { IAxis } from '../model/axes';
import { OBJECTIVE } from '../model/axes';
import type { Brush, Range } from '../model/brush';
import { drawn, moveEnd, setRange } from '../model/brush';

/** Less than this is a click, in pixels. */
const CLICK = 4;

interface IGrip {
  readonly from: number;
  /** The range that is moved as a whole; null while a new one is drawn. */
  readonly moves: Range | null;
}

/** The range of one axis: drawn with the pointer, or its two ends moved by keys. */
export function AxisBrush(props: {
  axis: IAxis;
  left: number;
  top: number;
  height: number;
  brush: Brush;
  onBrush: (brush: Brush) => void;
}): JSX.Element {
  const { axis, brush, height } = props;
  const trans = useTrans();
  const grip = React.useRef<IGrip | null>(null);
  const range: Range = brush[axis.id] ?? [0, 1];
  const active = Boolean(brush[axis.id]);
  const set = (next: Range | null) => props.onBrush(setRange(brush, axis.id, next));
  const shareOf = (event: React.PointerEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    return Math.min(1, Math.max(0, 1 - (event.clientY - box.top) / height));
  };
  const down = (event: React.PointerEvent) => {
    if (event.button !== 0 || (event.target as HTMLElement).closest('[role="slider"]')) {
      return;
    }
    event.currentTarget.setPointerCapture(event.pointerId);
    const from = shareOf(event);
    const inside = active && from >= range[0] && from <= range[1];
    grip.current = { from, moves: inside ? range : null };
  };
  const move = (event: React.PointerEvent) => {
    const held = grip.current;
    if (!held) {
      return;
    }
    const at = shareOf(event);
    if (held.moves) {
      const [low, high] = held.moves;
      const by = Math.min(1 - high, Math.max(-low, at - held.from));
      set(drawn(low + by, high + by, axis.scale));
    } else if (Math.abs(at - held.from) * height > CLICK) {
      set(drawn(held.from, at, axis.scale));
    }
  };
  const up = (event: React.PointerEvent) => {
    const held = grip.current;
    grip.current = null;
    if (held && Math.abs(shareOf(event) - held.from) * height <= CLICK) {
      set(null);
    }
  };
  const label = axis.id === OBJECTIVE ? trans.__('%1 (objective)', axis.label) : axis.label;
  return (
    <div
      className={active ? 'jk-AxisBrush jk-mod-active' : 'jk-AxisBrush'}
      role="group"
      aria-label={label}
      data-axis={axis.label}
      style={{ left: props.left, top: props.top, height }}
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerCancel={() => (grip.current = null)}
    >
      {active && (
        <i
          className="jk-AxisBrush-range"
          style={{
            top: (1 - range[1]) * height - 3,
            height: Math.max(6, (range[1] - range[0]) * height + 6)
          }}
        />
      )}
      {([1, 0] as const).map(end => (
        <End
          key={end}
          end={end}
          label={end ? trans.__('%1, to', label) : trans.__('%1, from', label)}
          axis={axis}
          range={range}
          height={height}
          onRange={set}
        />
      ))}
    </div>
  );
}

function End(props: {
  end: 0 | 1;
  label: string;
  axis: IAxis;
  range: Range;
  height: number;
  onRange: (range: Range | null) => void;
}): JSX.Element {
  const { end, axis, range, height } = props;
  const dragging = React.useRef(false);
  const value = axis.scale.value(range[end]);
  const onKeyDown = (event: React.KeyboardEvent) => {
    const moved = moveEnd(range, end, event.key, axis.scale, event.shiftKey);
    if (moved) {
      props.onRange(moved);
    } else if (event.key === 'Escape') {
      props.onRange(null);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const drag = (event: React.PointerEvent) => {
    const box = event.currentTarget.parentElement?.getBoundingClientRect();
    if (!dragging.current || !box) {
      return;
    }
    const at = Math.min(1, Math.max(0, 1 - (event.clientY - box.top) / height));
    const other = range[1 - end];
    const [low, high] = end ? [other, Math.max(other, at)] : [Math.min(other, at), other];
    props.onRange(drawn(low, high, axis.scale));
  };
  return (
    <div
      className={end ? 'jk-AxisBrush-end jk-mod-to' : 'jk-AxisBrush-end jk-mod-from'}
      role="slider"
      tabIndex={0}
      aria-orientation="vertical"
      aria-label={props.label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(range[end] * 100)}
      aria-valuetext={typeof value === 'number' ? short(value) : value}
      style={{ top: (1 - range[end]) * height }}
      onKeyDown={onKeyDown}
      onPointerDown={event => {
        dragging.current = true;
        event.currentTarget.setPointerCapture(event.pointerId);
        event.stopPropagation();
      }}
      onPointerMove={drag}
      onPointerUp={() => (dragging.current = false)}
      onPointerCancel={() => (dragging.current = false)}
    />
  );
}
