import * as React from 'react';

const KEY_STEP = 4;

/** Two panes above each other with a divider that is dragged, or moved by the arrow keys. */
export function Stack(props: {
  top: React.ReactNode;
  bottom: React.ReactNode;
  /** Names the divider. */
  label: string;
}): JSX.Element {
  const [share, setShare] = React.useState(56);
  const frame = React.useRef<HTMLDivElement>(null);
  const clamp = (value: number) => Math.min(80, Math.max(20, value));
  const move = (event: React.PointerEvent) => {
    const box = frame.current?.getBoundingClientRect();
    if (box && event.currentTarget.hasPointerCapture(event.pointerId)) {
      setShare(clamp((100 * (event.clientY - box.top)) / box.height));
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const by = { ArrowUp: -KEY_STEP, ArrowDown: KEY_STEP }[event.key];
    if (by) {
      setShare(value => clamp(value + by));
      event.preventDefault();
    }
  };
  return (
    <div
      className="jk-Stack"
      ref={frame}
      style={{ '--jk-share': `${share}%` } as React.CSSProperties}
    >
      <div className="jk-Stack-top">{props.top}</div>
      <div
        className="jk-Stack-divider"
        role="separator"
        aria-orientation="horizontal"
        aria-label={props.label}
        aria-valuenow={Math.round(share)}
        aria-valuemin={20}
        aria-valuemax={80}
        tabIndex={0}
        onPointerDown={event => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={move}
        onKeyDown={onKeyDown}
      />
      <div className="jk-Stack-bottom">{props.bottom}</div>
    </div>
  );
}
