import * as React from 'react';

/** What a picture is drawn with: pixels of the page, and the theme's colours. */
export interface ISurface {
  readonly context: CanvasRenderingContext2D;
  readonly width: number;
  readonly height: number;
  /** A colour as style sheets write it, resolved in the theme. */
  colour(css: string): string;
}

/** Changes whenever the theme does. */
export function useTheme(): number {
  const [count, setCount] = React.useState(0);
  React.useEffect(() => {
    let timer = 0;
    const observer = new MutationObserver(() => {
      setCount(value => value + 1);
      // A theme's style sheet may come in after its name.
      window.clearTimeout(timer);
      timer = window.setTimeout(() => setCount(value => value + 1), 400);
    });
    observer.observe(document.body, {
      attributes: true,
      attributeFilter: ['data-jp-theme-name', 'data-jp-theme-light']
    });
    return () => {
      window.clearTimeout(timer);
      observer.disconnect();
    };
  }, []);
  return count;
}

/** Width and height of an element, kept true; zero until it is laid out. */
export function useSize(ref: React.RefObject<HTMLElement>): { width: number; height: number } {
  const [size, setSize] = React.useState({ width: 0, height: 0 });
  React.useLayoutEffect(() => {
    const node = ref.current;
    if (!node) {
      return;
    }
    const measure = () => {
      const [width, height] = [node.clientWidth, node.clientHeight];
      setSize(old => (old.width === width && old.height === height ? old : { width, height }));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(node);
    return () => observer.disconnect();
  }, [ref]);
  return size;
}

/** A picture of thousands of marks: drawn anew when `draw`, the size or the theme is another. */
export function Canvas(props: {
  width: number;
  height: number;
  draw: (surface: ISurface) => void;
}): JSX.Element {
  const { width, height, draw } = props;
  const canvas = React.useRef<HTMLCanvasElement>(null);
  const probe = React.useRef<HTMLSpanElement>(null);
  const theme = useTheme();
  React.useLayoutEffect(() => {
    const node = canvas.current;
    const context = node?.getContext('2d');
    if (!node || !context || width <= 0 || height <= 0) {
      return;
    }
    const frame = window.requestAnimationFrame(() => {
      const ratio = window.devicePixelRatio || 1;
      node.width = Math.round(width * ratio);
      node.height = Math.round(height * ratio);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, width, height);
      draw({ context, width, height, colour: resolver(probe.current) });
    });
    return () => window.cancelAnimationFrame(frame);
  }, [width, height, draw, theme]);
  return (
    <>
      <span ref={probe} className="jk-Canvas-probe" />
      <canvas ref={canvas} className="jk-Canvas" style={{ width, height }} aria-hidden="true" />
    </>
  );
}

function resolver(node: HTMLElement | null): (css: string) => string {
  const known = new Map<string, string>();
  return css => {
    let found = known.get(css);
    if (found === undefined && node) {
      node.style.color = '';
      node.style.color = css;
      found = getComputedStyle(node).color;
      known.set(css, found);
    }
    return found ?? 'gray';
  };
}

/** From hardly seen for the worst (0) to the theme's own colour for the best (1). */
export function shadeColour(share: number): string {
  const quiet = 'color-mix(in srgb, var(--jp-ui-font-color0) 24%, var(--jp-layout-color1))';
  return `color-mix(in srgb, var(--jp-brand-color1) ${Math.round(share ** 2 * 100)}%, ${quiet})`;
}
