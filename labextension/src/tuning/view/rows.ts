import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { ITrial } from '../model/types';

export function compareReason(count: number, trans: TranslationBundle): string | null {
  if (count < 2) {
    return trans.__('Select at least two trials.');
  }
  return count > 10 ? trans.__('At most ten trials fit side by side.') : null;
}

/**
 * Rows that do not move while somebody points at them: what is new waits, what changed shows at once.
 * With another `key` (order, filter) the rows are laid anew.
 */
export function useHeld(
  items: readonly ITrial[],
  key: string
): { items: readonly ITrial[]; fresh: number; hold: (held: boolean) => void; show: () => void } {
  const [held, setHeld] = React.useState(false);
  const frozen = React.useRef<{ key: string; names: readonly string[] } | null>(null);
  const [, draw] = React.useState(0);
  if (!held || frozen.current?.key !== key) {
    frozen.current = { key, names: items.map(trial => trial.name) };
  }
  const { names } = frozen.current;
  const rows = React.useMemo(() => {
    const byName = new Map(items.map(trial => [trial.name, trial]));
    return names.map(name => byName.get(name)).filter(trial => trial !== undefined);
  }, [items, names]);
  const hold = React.useCallback((value: boolean) => setHeld(value), []);
  const show = React.useCallback(() => {
    frozen.current = null;
    draw(value => value + 1);
  }, []);
  return { items: rows, fresh: items.length - rows.length, hold, show };
}

/** Arrow keys, Home, End and the page keys from row to row, also to rows that are not drawn yet. */
export function useRowKeys(
  scroller: React.RefObject<HTMLElement>,
  count: number,
  height: number
): (event: React.KeyboardEvent) => void {
  return React.useCallback(
    (event: React.KeyboardEvent) => {
      const node = scroller.current;
      const row = (event.target as HTMLElement).closest<HTMLElement>('[data-row]');
      if (!node || !row) {
        return;
      }
      const at = Number(row.dataset.row);
      const page = Math.max(1, Math.floor(node.clientHeight / height) - 2);
      const moves: Record<string, number> = {
        ArrowDown: at + 1,
        ArrowUp: at - 1,
        PageDown: at + page,
        PageUp: at - page,
        Home: 0,
        End: count - 1
      };
      if (!(event.key in moves)) {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
      const next = Math.min(count - 1, Math.max(0, moves[event.key]));
      const top = next * height;
      // The head covers as much as a row.
      if (top < node.scrollTop) {
        node.scrollTop = top;
      } else if (top + 2.2 * height > node.scrollTop + node.clientHeight) {
        node.scrollTop = top + 2.2 * height - node.clientHeight;
      }
      focusRow(node, next, 12);
    },
    [scroller, count, height]
  );
}

/** As soon as the row is drawn. */
function focusRow(node: HTMLElement, index: number, tries: number): void {
  const row = node.querySelector<HTMLElement>(`[data-row="${index}"]`);
  if (row) {
    row.focus({ preventScroll: true });
  } else if (tries) {
    window.requestAnimationFrame(() => focusRow(node, index, tries - 1));
  }
}
