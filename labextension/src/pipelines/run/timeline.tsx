import * as React from 'react';

import { clock, duration } from '../../format';
import { isActive, tone } from '../../model/states';
import type { IBar } from '../../model/timeline';
import { ticks, timeline } from '../../model/timeline';
import type { IRun } from '../../model/types';
import { useNow, useTrans } from '../../ui/context';
import { onListKeys } from '../../ui/controls';
import { CacheMark, StateIcon, stateWord } from '../../ui/state';

/** As many rows has a loop at most. */
const ITERATIONS = 24;

/** When each step waited and ran. Bars that decide the length of the run are marked. */
export function Timeline(props: {
  run: IRun;
  selected: string | null;
  onSelect: (name: string) => void;
}): JSX.Element {
  const { run } = props;
  const trans = useTrans();
  const now = useNow(isActive(run.status.phase));
  const { bars, from, to } = timeline(run, now);
  const { shown, left } = overlooked(bars, props.selected);
  const span = to - from;
  const share = (time: number) => `${(100 * (time - from)) / span}%`;
  const marks = ticks(span / 1000, 5);
  const long = span >= 60_000;
  const label = (mark: number) => (mark ? (long ? minutes(mark) : duration(mark)) : '0');
  return (
    <div className="jk-Timeline" role="group" aria-label={trans.__('Timeline')}>
      <div className="jk-Timeline-axis" aria-hidden="true">
        {marks.map(mark => (
          <span key={mark} style={{ insetInlineStart: `${(100000 * mark) / span}%` }}>
            {label(mark)}
          </span>
        ))}
      </div>
      <ul className="jk-Timeline-rows" onKeyDown={onListKeys}>
        {shown.map(bar => (
          <Row
            key={bar.name}
            bar={bar}
            marks={marks.map(mark => `${(100000 * mark) / span}%`)}
            share={share}
            selected={bar.name === props.selected}
            onSelect={props.onSelect}
          />
        ))}
      </ul>
      {left > 0 && (
        <p className="jk-Quiet">
          {trans._n(
            '%1 more iteration: choose it in the graph.',
            '%1 more iterations: choose them in the graph.',
            left
          )}
        </p>
      )}
      <p className="jk-Timeline-legend">
        <span>
          <i className="jk-mod-wait" /> {trans.__('waiting')}
        </span>
        <span>
          <i className="jk-mod-ran" /> {trans.__('running')}
        </span>
        <span>
          <i className="jk-mod-ran jk-mod-critical" /> {trans.__('critical path')}
        </span>
      </p>
    </div>
  );
}

/** Of a loop with many iterations those that matter: selected, failed or running ones, then the first. */
function overlooked(
  bars: readonly IBar[],
  selected: string | null
): { shown: readonly IBar[]; left: number } {
  const sizes = new Map<string, number>();
  bars.forEach(bar => bar.parent && sizes.set(bar.parent, (sizes.get(bar.parent) ?? 0) + 1));
  const taken = new Map<string, Set<IBar>>();
  for (const [parent, size] of sizes) {
    if (size > ITERATIONS) {
      const weight = (bar: IBar) =>
        bar.name === selected ? 0 : bar.state === 'FAILED' ? 1 : bar.state === 'RUNNING' ? 2 : 3;
      const all = bars.filter(bar => bar.parent === parent);
      const best = [...all].sort((a, b) => weight(a) - weight(b)).slice(0, ITERATIONS);
      taken.set(parent, new Set(best));
    }
  }
  const shown = bars.filter(bar => !bar.parent || (taken.get(bar.parent)?.has(bar) ?? true));
  return { shown, left: bars.length - shown.length };
}

function Row(props: {
  bar: IBar;
  marks: string[];
  share: (time: number) => string;
  selected: boolean;
  onSelect: (name: string) => void;
}): JSX.Element {
  const { bar, share } = props;
  const trans = useTrans();
  const ran = bar.started !== null && bar.ended !== null;
  const seconds = ran ? (bar.ended! - bar.started!) / 1000 : null;
  const waited =
    bar.queued !== null && bar.started !== null ? (bar.started - bar.queued) / 1000 : 0;
  const words = [bar.title, stateText(bar, trans)];
  if (waited > 0.05) {
    words.push(trans.__('waited %1', duration(waited)));
  }
  if (seconds !== null) {
    words.push(trans.__('ran %1', duration(seconds)));
  }
  if (bar.critical) {
    words.push(trans.__('on the critical path'));
  }
  const classes = ['jk-Timeline-row', `jk-tone-${bar.left ? 'off' : tone(bar.state)}`];
  if (props.selected) {
    classes.push('jk-mod-selected');
  }
  if (bar.parent) {
    classes.push('jk-mod-child');
  }
  return (
    <li className={classes.join(' ')}>
      <button
        type="button"
        data-row=""
        aria-pressed={props.selected}
        aria-label={words.join(', ')}
        title={words.join('\n')}
        onClick={() => props.onSelect(bar.name)}
      >
        <span className="jk-Timeline-name">
          {bar.cached ? (
            <CacheMark size={14} />
          ) : (
            <StateIcon state={bar.left ? 'SKIPPED' : bar.state} size={14} />
          )}
          <span className="jk-Ellipsis" dir="auto">
            {bar.title}
          </span>
        </span>
        <span className="jk-Timeline-lane">
          {props.marks.map(mark => (
            <i key={mark} className="jk-Timeline-grid" style={{ insetInlineStart: mark }} />
          ))}
          {bar.queued !== null && bar.started !== null && bar.started > bar.queued && (
            <i className="jk-Timeline-wait" style={between(bar.queued, bar.started, share)} />
          )}
          {ran && (
            <i
              className={bar.critical ? 'jk-Timeline-bar jk-mod-critical' : 'jk-Timeline-bar'}
              style={between(bar.started!, bar.ended!, share)}
            />
          )}
        </span>
        <span className="jk-Timeline-took">{duration(seconds)}</span>
      </button>
    </li>
  );
}

/** `0:45`, `2:00`: all of one width, unlike words. */
function minutes(seconds: number): string {
  return seconds < 60 ? `0:${String(Math.round(seconds)).padStart(2, '0')}` : clock(seconds);
}

function stateText(bar: IBar, trans: ReturnType<typeof useTrans>): string {
  if (bar.left) {
    return trans.__('not run');
  }
  return bar.cached ? trans.__('from cache') : stateWord(bar.state, trans);
}

function between(from: number, to: number, share: (time: number) => string): React.CSSProperties {
  return { insetInlineStart: share(from), width: `calc(${share(to)} - ${share(from)})` };
}
