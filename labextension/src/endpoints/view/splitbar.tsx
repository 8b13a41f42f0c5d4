import * as React from 'react';

import { useKubeflow } from '../../ui/context';
import { splitText } from '../model/endpoint';
import type { Split } from '../model/split';
import { dividers, moved, steered } from '../model/split';

/** One bar: a part for each variant, a divider between neighbours that is dragged or moved by arrow keys. */
export function SplitBar(props: {
  split: Split;
  /** What serves now, where it is other than shown. */
  before: Split | null;
  failed: ReadonlySet<string>;
  onSplit: (split: Split) => void;
}): JSX.Element {
  const { trans } = useKubeflow();
  const { split } = props;
  const bar = React.useRef<HTMLDivElement>(null);
  const places = dividers(split);
  return (
    <div
      className={props.before ? 'jk-SplitBar jk-mod-draft' : 'jk-SplitBar'}
      ref={bar}
      role="group"
      aria-label={trans.__('Traffic: %1', splitText(split))}
    >
      {split.map(({ name, percent }, index) => (
        <React.Fragment key={name}>
          {index > 0 && (
            <Divider
              bar={bar}
              at={places[index - 1]}
              left={split[index - 1].name}
              right={name}
              says={splitText(split)}
              onMove={to => props.onSplit(moved(split, index - 1, to))}
            />
          )}
          <div
            className={partClass(index, percent, props.failed.has(name))}
            style={{ flexGrow: Number.isFinite(percent) ? Math.max(0, percent) : 0 }}
            title={`${name} ${percent} %`}
          >
            <span dir="auto">{name}</span>
            {Number.isFinite(percent) && <b>{percent} %</b>}
          </div>
        </React.Fragment>
      ))}
    </div>
  );
}

function partClass(index: number, percent: number, failed: boolean): string {
  const classes = ['jk-SplitBar-part', `jk-c${index % 8}`];
  if (!percent) {
    classes.push('jk-mod-dark');
  }
  if (failed) {
    classes.push('jk-mod-failed');
  }
  return classes.join(' ');
}

interface IDrag {
  readonly x: number;
  readonly at: number;
  readonly width: number;
}

function Divider(props: {
  bar: React.RefObject<HTMLElement>;
  at: number;
  left: string;
  right: string;
  says: string;
  onMove: (to: number) => void;
}): JSX.Element {
  const { trans } = useKubeflow();
  const { at } = props;
  const drag = React.useRef<IDrag | null>(null);
  const end = () => {
    drag.current = null;
  };
  return (
    <div
      className="jk-SplitBar-divider"
      role="slider"
      tabIndex={0}
      aria-label={trans.__('Between %1 and %2', props.left, props.right)}
      aria-orientation="horizontal"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Number.isFinite(at) ? at : 0}
      aria-valuetext={props.says}
      title={trans.__('Drag, or use the arrow keys')}
      onPointerDown={event => {
        const box = props.bar.current?.getBoundingClientRect();
        if (box && event.button === 0) {
          event.currentTarget.setPointerCapture(event.pointerId);
          drag.current = { x: event.clientX, at, width: box.width };
        }
      }}
      onPointerMove={event => {
        // By how far it was dragged, not to where: parts at 0 % have a width too.
        const from = drag.current;
        if (from && from.width > 0) {
          props.onMove(from.at + (100 * (event.clientX - from.x)) / from.width);
        }
      }}
      onPointerUp={end}
      onPointerCancel={end}
      onKeyDown={event => {
        const to = steered(at, event.key);
        if (to !== null) {
          props.onMove(to);
          event.preventDefault();
          event.stopPropagation();
        }
      }}
    >
      <i aria-hidden="true" />
    </div>
  );
}
