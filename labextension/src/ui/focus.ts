/** Who works with keys must never find the focus nowhere: it goes on from where it was. */
import * as React from 'react';

/** To the head of the section around what goes away, or to the view. */
function focusAbove(node: Element): void {
  const head = node.closest('section')?.querySelector<HTMLElement>('.jk-Fold-title > button');
  const outside = head && !node.contains(head) ? head : null;
  (outside ?? node.parentElement?.closest<HTMLElement>('[tabindex]'))?.focus();
}

function isNowhere(): boolean {
  return !document.activeElement || document.activeElement === document.body;
}

/** JupyterLab hides all of itself for a moment when its theme changes: what had the focus then gets it back. */
function keepThroughHiding(frame: HTMLElement): () => void {
  let held: HTMLElement | null = null;
  const onFocus = ({ target }: FocusEvent) => {
    held = target as HTMLElement;
  };
  // Who leaves what is still to be seen wants to.
  const onBlur = () => {
    held = held?.checkVisibility() ? null : held;
  };
  const observer = new ResizeObserver(() => {
    if (held?.checkVisibility() && isNowhere()) {
      held.focus();
    }
  });
  held = frame.contains(document.activeElement) ? (document.activeElement as HTMLElement) : null;
  frame.addEventListener('focusin', onFocus);
  frame.addEventListener('focusout', onBlur);
  observer.observe(frame);
  return () => {
    observer.disconnect();
    frame.removeEventListener('focusin', onFocus);
    frame.removeEventListener('focusout', onBlur);
  };
}

/** The focus goes to the first question of what opens, and back to where it came from when that goes. */
export function useOwnFocus<T extends HTMLElement>(
  first = 'textarea, select, input:not([type=radio])'
): React.RefObject<T> {
  const frame = React.useRef<T>(null);
  React.useLayoutEffect(() => {
    const node = frame.current;
    const before = document.activeElement;
    node?.querySelector<HTMLElement>(first)?.focus();
    const stop = node ? keepThroughHiding(node) : undefined;
    return () => {
      stop?.();
      if (!node?.contains(document.activeElement)) {
        return;
      }
      if (before instanceof HTMLElement && before !== document.body && before.isConnected) {
        before.focus();
      } else {
        focusAbove(node);
      }
    };
  }, [first]);
  return frame;
}

/** When a row, or the button in it that was pressed, is gone: to the row that is there now, else above the list. */
export function useKeptFocus<T extends HTMLElement>(): React.RefObject<T> {
  const frame = React.useRef<T>(null);
  React.useLayoutEffect(() => {
    const list = frame.current;
    if (!list) {
      return undefined;
    }
    let held: { node: Element; index: number } | null = null;
    const onFocus = ({ target }: FocusEvent) => {
      const node = target as Element;
      const index = [...list.children].findIndex(child => child.contains(node));
      held = { node, index };
    };
    // What is taken away loses the focus too; somebody left only if it is still there afterwards.
    const onBlur = ({ target }: FocusEvent) =>
      queueMicrotask(() => {
        if (held?.node === target && held.node.isConnected) {
          held = null;
        }
      });
    const observer = new MutationObserver(() => {
      if (held && !held.node.isConnected && isNowhere()) {
        const rows = list.querySelectorAll<HTMLElement>(':scope > * [data-row]');
        rows[Math.min(held.index, rows.length - 1)]?.focus();
      }
    });
    list.addEventListener('focusin', onFocus);
    list.addEventListener('focusout', onBlur);
    observer.observe(list, { childList: true, subtree: true });
    return () => {
      observer.disconnect();
      list.removeEventListener('focusin', onFocus);
      list.removeEventListener('focusout', onBlur);
      if (list.contains(document.activeElement)) {
        focusAbove(list);
      }
    };
  }, []);
  return frame;
}
