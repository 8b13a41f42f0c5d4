import * as React from 'react';

import { useTrans } from '../ui/context';
import type { ILayout } from './layout';
import { curve, layout } from './layout';
import type { IGraphData, IGraphNode } from './model';
import { related } from './model';
import { GraphNode, MiniNode, nodeHeight, NODE_WIDTH } from './node';
import type { IViewport } from './view';
import { fit, neighbour, reveal, zoomAt } from './view';

export interface IGraphProps {
  data: IGraphData;
  /** What the drawing shows, for screen readers. */
  label: string;
  /** `mini` draws squares with no words, always fitted; for a bar above a notebook. */
  variant?: 'full' | 'mini';
  selected?: string | null;
  /** Ids that stand out; the rest fade. */
  highlighted?: ReadonlySet<string> | null;
  onSelect?: (id: string) => void;
  /** Enter or double click. */
  onOpen?: (id: string) => void;
  onHover?: (id: string | null) => void;
}

const FULL = { x: 18, y: 36, margin: 14 };
const MINI = { x: 6, y: 8, margin: 4 };

function useLayout(data: IGraphData, mini: boolean, open: ReadonlySet<string>): ILayout {
  const shape = JSON.stringify([
    data.nodes.map(node => [node.id, node.children?.length ?? 0, open.has(node.id)]),
    data.edges.map(edge => [edge.source, edge.target]),
    mini
  ]);
  // States change often and shape rarely: only the shape lays out anew.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  return React.useMemo(() => compute(data, mini, open), [shape]);
}

function compute(data: IGraphData, mini: boolean, open: ReadonlySet<string>): ILayout {
  const nodes = data.nodes.map(node => ({
    id: node.id,
    width: mini ? 18 : NODE_WIDTH,
    height: mini ? 10 : nodeHeight(node, open.has(node.id))
  }));
  return layout(nodes, data.edges, mini ? MINI : FULL);
}

/** A pipeline as boxes and lines. Arrow keys go from node to node; drag moves, Ctrl-wheel zooms. */
export function Graph(props: IGraphProps): JSX.Element {
  return props.variant === 'mini' ? <MiniGraph {...props} /> : <FullGraph {...props} />;
}

const NONE: ReadonlySet<string> = new Set();

function MiniGraph(props: IGraphProps): JSX.Element {
  const plan = useLayout(props.data, true, NONE);
  return (
    <div
      className="jk-Graph jk-mod-mini"
      role="group"
      aria-label={props.label}
      style={{ width: plan.width, height: plan.height }}
    >
      <Edges plan={plan} data={props.data} selected={props.selected} />
      {props.data.nodes.map(node => (
        <MiniNode
          key={node.id}
          node={node}
          place={plan.nodes.get(node.id)!}
          selected={node.id === props.selected}
          faded={Boolean(props.highlighted && !props.highlighted.has(node.id))}
          onSelect={props.onSelect}
          onHover={props.onHover}
        />
      ))}
    </div>
  );
}

function FullGraph(props: IGraphProps): JSX.Element {
  const { data, selected, onSelect } = props;
  const [open, setOpen] = React.useState<ReadonlySet<string>>(NONE);
  const plan = useLayout(data, false, open);
  const frame = React.useRef<HTMLDivElement>(null);
  const { view, setView, refit } = useViewport(frame, plan);
  const ids = React.useMemo(() => new Set(data.critical), [data.critical]);
  const toggle = React.useCallback((id: string) => {
    setOpen(value => {
      const next = new Set(value);
      return next.delete(id) ? next : next.add(id);
    });
  }, []);
  const focus = (id: string) => {
    const place = plan.nodes.get(id);
    const box = frame.current?.getBoundingClientRect();
    if (place && box) {
      setView(value => reveal(value, place, box));
      frame.current?.querySelector<HTMLElement>(`[data-node="${CSS.escape(id)}"]`)?.focus();
      onSelect?.(id);
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const id = (event.target as HTMLElement).dataset.node;
    const next = id && event.key.startsWith('Arrow') && step(plan, id, event.key);
    if (next) {
      focus(next);
    } else if (event.key === '+' || event.key === '=') {
      setView(value => zoomMiddle(value, frame.current, 1.2));
    } else if (event.key === '-') {
      setView(value => zoomMiddle(value, frame.current, 1 / 1.2));
    } else if (event.key === '0') {
      refit();
    } else if (!(id && event.key.startsWith('Arrow'))) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const first = data.nodes[0]?.id;
  return (
    <div className="jk-Graph" role="group" aria-label={props.label} onKeyDown={onKeyDown}>
      <div className="jk-Graph-frame" ref={frame}>
        <div
          className="jk-Graph-drawing"
          style={{
            width: plan.width,
            height: plan.height,
            transform: `translate(${view.x}px, ${view.y}px) scale(${view.scale})`
          }}
        >
          <Edges plan={plan} data={data} selected={selected} critical={ids} />
          {data.nodes.map(node => (
            <GraphNode
              key={node.id}
              node={node}
              place={plan.nodes.get(node.id)!}
              selected={selected ?? null}
              tabStop={selected ? holds(node, selected) : node.id === first}
              critical={ids.has(node.id)}
              faded={Boolean(props.highlighted && !props.highlighted.has(node.id))}
              open={open.has(node.id)}
              onToggle={toggle}
              onSelect={onSelect}
              onOpen={props.onOpen}
            />
          ))}
        </div>
      </div>
      <Controls
        zoom={factor => setView(value => zoomMiddle(value, frame.current, factor))}
        refit={refit}
      />
    </div>
  );
}

function holds(node: IGraphNode, id: string): boolean {
  return node.id === id || Boolean(node.children?.some(child => child.id === id));
}

function step(plan: ILayout, from: string, key: string): string | undefined {
  return neighbour([...plan.nodes.values()], from, key);
}

function zoomMiddle(view: IViewport, frame: HTMLElement | null, factor: number): IViewport {
  const box = frame?.getBoundingClientRect();
  return zoomAt(view, factor, (box?.width ?? 0) / 2, (box?.height ?? 0) / 2);
}

function useViewport(
  frame: React.RefObject<HTMLDivElement>,
  plan: ILayout
): {
  view: IViewport;
  setView: React.Dispatch<React.SetStateAction<IViewport>>;
  refit: () => void;
} {
  const [view, setView] = React.useState<IViewport>({ x: 0, y: 0, scale: 1 });
  const touched = React.useRef(false);
  const refit = React.useCallback(() => {
    const box = frame.current?.getBoundingClientRect();
    if (box?.width && box.height) {
      touched.current = false;
      setView(fit(plan, box));
    }
  }, [frame, plan]);
  React.useLayoutEffect(() => {
    const node = frame.current;
    if (!node) {
      return;
    }
    const settle = () => !touched.current && refit();
    settle();
    const observer = new ResizeObserver(settle);
    observer.observe(node);
    return () => observer.disconnect();
  }, [frame, refit]);
  React.useEffect(() => {
    const node = frame.current;
    return node ? listen(node, touched, setView) : undefined;
  }, [frame]);
  return { view, setView, refit };
}

/** Wheel listeners must be able to prevent scrolling, which React's own cannot. */
function listen(
  node: HTMLElement,
  touched: React.MutableRefObject<boolean>,
  setView: React.Dispatch<React.SetStateAction<IViewport>>
): () => void {
  let from: { x: number; y: number } | null = null;
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    touched.current = true;
    const box = node.getBoundingClientRect();
    if (event.ctrlKey || event.metaKey) {
      const factor = Math.exp(-event.deltaY * 0.004);
      setView(view => zoomAt(view, factor, event.clientX - box.left, event.clientY - box.top));
    } else {
      setView(view => ({ ...view, x: view.x - event.deltaX, y: view.y - event.deltaY }));
    }
  };
  const down = (event: PointerEvent) => {
    if (event.button === 0 && !(event.target as HTMLElement).closest('button')) {
      from = { x: event.clientX, y: event.clientY };
      node.setPointerCapture(event.pointerId);
    }
  };
  const move = (event: PointerEvent) => {
    if (from) {
      const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
      from = { x: event.clientX, y: event.clientY };
      touched.current = true;
      setView(view => ({ ...view, x: view.x + dx, y: view.y + dy }));
    }
  };
  const up = () => {
    from = null;
  };
  node.addEventListener('wheel', wheel, { passive: false });
  node.addEventListener('pointerdown', down);
  node.addEventListener('pointermove', move);
  node.addEventListener('pointerup', up);
  node.addEventListener('pointercancel', up);
  return () => {
    node.removeEventListener('wheel', wheel);
    node.removeEventListener('pointerdown', down);
    node.removeEventListener('pointermove', move);
    node.removeEventListener('pointerup', up);
    node.removeEventListener('pointercancel', up);
  };
}

const Edges = React.memo(function Edges(props: {
  plan: ILayout;
  data: IGraphData;
  selected?: string | null;
  critical?: ReadonlySet<string>;
}): JSX.Element {
  const { plan, data, selected } = props;
  const near = selected ? related(data.edges, selected) : null;
  const kinds = new Map(data.edges.map(edge => [`${edge.source}\n${edge.target}`, edge]));
  return (
    <svg
      className="jk-Graph-edges"
      width={plan.width}
      height={plan.height}
      aria-hidden="true"
      focusable="false"
    >
      {plan.routes.map(route => {
        const edge = kinds.get(`${route.source}\n${route.target}`);
        const classes = ['jk-Graph-edge', `jk-mod-${edge?.kind ?? 'data'}`];
        if (props.critical?.has(route.source) && props.critical.has(route.target)) {
          classes.push('jk-mod-critical');
        }
        if (near?.has(route.source) && near.has(route.target)) {
          classes.push('jk-mod-near');
        }
        const [endX, endY] = route.points[route.points.length - 1];
        return (
          <g key={`${route.source}→${route.target}`} className={classes.join(' ')}>
            <path d={curve(route.points)} />
            <path className="jk-Graph-arrow" d={`M${endX - 4} ${endY - 6}l4 6l4 -6`} />
          </g>
        );
      })}
    </svg>
  );
});

function Controls(props: { zoom: (factor: number) => void; refit: () => void }): JSX.Element {
  const trans = useTrans();
  return (
    <div className="jk-Graph-controls" role="toolbar" aria-label={trans.__('Graph view')}>
      <button type="button" title={trans.__('Zoom in (+)')} onClick={() => props.zoom(1.25)}>
        <span aria-hidden="true">+</span>
        <span className="jk-visuallyHidden">{trans.__('Zoom in')}</span>
      </button>
      <button type="button" title={trans.__('Zoom out (-)')} onClick={() => props.zoom(0.8)}>
        <span aria-hidden="true">−</span>
        <span className="jk-visuallyHidden">{trans.__('Zoom out')}</span>
      </button>
      <button type="button" title={trans.__('Fit to view (0)')} onClick={props.refit}>
        {trans.__('Fit')}
      </button>
    </div>
  );
}
