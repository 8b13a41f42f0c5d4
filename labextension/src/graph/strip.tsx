import * as React from 'react';

import { duration } from '../format';
import { tone } from '../model/states';
import { useTrans } from '../ui/context';
import { stateWord } from '../ui/state';
import { chosenOf, marks } from './marks';
import type { IIteration } from './outline';

export const STRIP_HEIGHT = 24;
const NARROWEST = 3;
const WIDEST = 9;
/** The states of all iterations in a row; one is looked at, or all of them. Arrow keys go along. */
export function Strip(props: {
  label: string;
  iterations: readonly IIteration[];
  selected: string | null;
  width: number;
  tabIndex?: number;
  onSelect: (id: string | null) => void;
}): JSX.Element {
  const { iterations, width } = props;
  const trans = useTrans();
  const at = iterations.findIndex(each => each.id === props.selected);
  const label = at < 0 ? `×${iterations.length}` : `[${iterations[at].index.join()}]`;
  const space = Math.max(24, width - Math.max(30, label.length * 7 + 8));
  const size = Math.min(WIDEST, Math.max(NARROWEST, space / iterations.length));
  const drawn = React.useMemo(
    () => marks(iterations, Math.floor(space / size)),
    [iterations, space, size]
  );
  const go = (place: number) => {
    const next = Math.max(-1, Math.min(iterations.length - 1, place));
    props.onSelect(next < 0 ? null : iterations[next].id);
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const places: Record<string, number> = {
      ArrowRight: at + 1,
      ArrowUp: at + 1,
      ArrowLeft: at - 1,
      ArrowDown: at - 1,
      PageUp: at + 10,
      PageDown: at - 10,
      Home: -1,
      End: iterations.length - 1
    };
    if (event.key in places) {
      go(places[event.key]);
      event.preventDefault();
      event.stopPropagation();
    }
  };
  const words = (each: IIteration) =>
    [
      `[${each.index.join()}]`,
      stateWord(each.state ?? 'PENDING', trans),
      each.item,
      each.seconds !== null && each.seconds !== undefined ? duration(each.seconds) : ''
    ]
      .filter(Boolean)
      .join(', ');
  return (
    <div
      className="jk-Strip"
      role="slider"
      tabIndex={props.tabIndex ?? 0}
      aria-label={props.label}
      aria-valuemin={0}
      aria-valuemax={iterations.length}
      aria-valuenow={at + 1}
      aria-valuetext={at < 0 ? trans.__('All iterations') : words(iterations[at])}
      onKeyDown={onKeyDown}
    >
      <svg width={Math.ceil(drawn.length * size)} height={16} focusable="false" aria-hidden="true">
        {drawn.map((mark, place) => (
          <rect
            key={mark.from}
            className={`jk-tone-${mark.state ? tone(mark.state) : 'off'}`}
            data-mark={mark.from}
            x={place * size + 0.5}
            y={mark.from <= at && at < mark.to ? 0.75 : 3}
            width={Math.max(1.5, size - (size > 5 ? 2 : 1))}
            height={mark.from <= at && at < mark.to ? 14.5 : 10}
            rx={1}
            onClick={event => {
              event.stopPropagation();
              const picked = chosenOf(iterations, mark);
              go(mark.from <= at && at < mark.to && mark.to - mark.from === 1 ? -1 : picked);
            }}
          >
            <title>
              {mark.to - mark.from === 1
                ? words(iterations[mark.from])
                : trans.__(
                    '[%1] to [%2]',
                    iterations[mark.from].index.join(),
                    iterations[mark.to - 1].index.join()
                  )}
            </title>
          </rect>
        ))}
      </svg>
      <span className="jk-Strip-label">{label}</span>
    </div>
  );
}
