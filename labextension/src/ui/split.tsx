import * as React from 'react';

const KEY_STEP = 4;

/** Two panes with a divider that is dragged, or moved by the arrow keys. Stacked where it is narrow. */
export function Split(props: {
  left: React.ReactNode;
  right: React.ReactNode;
  /** Names the divider: *Resize graph*. */
  label: string;
  /** Per cent of the width that the left pane has at first. */
  share?: number;
}): JSX.Element {
  const [share, setShare] = React.useState(props.share ?? 48);
  const frame = React.useRef<HTMLDivElement>(null);
  const clamp = (value: number) => Math.min(75, Math.max(20, value));
  const move = (event: React.PointerEvent) => {
    const box = frame.current?.getBoundingClientRect();
    if (box && event.currentTarget.hasPointerCapture(event.pointerId)) {
      setShare(clamp((100 * (event.clientX - box.left)) / box.width));
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const by = { ArrowLeft: -KEY_STEP, ArrowRight: KEY_STEP }[event.key];
    if (by) {
      setShare(value => clamp(value + by));
      event.preventDefault();
    }
  };
  return (
    <div
      className="jk-Split"
      ref={frame}
      style={{ '--jk-share': `${share}%` } as React.CSSProperties}
    >
      <div className="jk-Split-left">{props.left}</div>
      <div
        className="jk-Split-divider"
        role="separator"
        aria-orientation="vertical"
        aria-label={props.label}
        aria-valuenow={Math.round(share)}
        aria-valuemin={20}
        aria-valuemax={75}
        tabIndex={0}
        onPointerDown={event => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={move}
        onKeyDown={onKeyDown}
      />
      <div className="jk-Split-right">{props.right}</div>
    </div>
  );
}
