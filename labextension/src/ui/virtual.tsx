import * as React from 'react';

/** Which rows of equal height are in sight of a scrolling element. */
export function useWindow(
  scroller: React.RefObject<HTMLElement>,
  count: number,
  height: number,
  overscan = 8
): { from: number; to: number } {
  const [range, setRange] = React.useState({ from: 0, to: Math.min(count, 60) });
  React.useLayoutEffect(() => {
    const node = scroller.current;
    if (!node) {
      return;
    }
    const measure = () => {
      const from = Math.max(0, Math.floor(node.scrollTop / height) - overscan);
      const to = Math.min(
        count,
        Math.ceil((node.scrollTop + node.clientHeight) / height) + overscan
      );
      setRange(old => (old.from === from && old.to === to ? old : { from, to }));
    };
    measure();
    node.addEventListener('scroll', measure, { passive: true });
    const observer = new ResizeObserver(measure);
    observer.observe(node);
    return () => {
      node.removeEventListener('scroll', measure);
      observer.disconnect();
    };
  }, [scroller, count, height, overscan]);
  return { from: Math.min(range.from, count), to: Math.min(Math.max(range.to, range.from), count) };
}
