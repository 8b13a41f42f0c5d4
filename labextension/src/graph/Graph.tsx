import * as React from 'react';

import { useTrans } from '../ui/context';
import type { IRoute } from './layout';
import { curve, layout } from './layout';
import type { IGraphData, IGraphEdge } from './model';
import { related } from './model';
import type { IBox, INested } from './nested';
import { move, nest } from './nested';
import { GraphNode, isAt, MiniNode, NodeStrip, SIZES } from './node';
import type { IViewport } from './view';
import { fit, reveal, zoomAt } from './view';

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
  /** Which groups are open, where that outlives the drawing. */
  folds?: IFolds;
}

const MINI = { x: 6, y: 8, margin: 4 };
/** Of more than so many steps the groups are folded until somebody opens them. */
const UNFOLDED = 40;

/** Which groups are open: as somebody left them, else as many as can be overlooked. */
export interface IFolds {
  isOpen(id: string): boolean;
  toggle(id: string): void;
}

export function useFolds(data: IGraphData): IFolds {
  const [chosen, setChosen] = React.useState<ReadonlyMap<string, boolean>>(new Map());
  const few = React.useMemo(() => leaves(data) <= UNFOLDED, [data]);
  return React.useMemo(() => {
    const isOpen = (id: string) => chosen.get(id) ?? few;
    return {
      isOpen,
      toggle: id => setChosen(old => new Map(old).set(id, !isOpen(id)))
    };
  }, [chosen, few]);
}

function leaves(data: IGraphData): number {
  return data.nodes.reduce((sum, node) => sum + (node.inner ? leaves(node.inner) : 1), 0);
}

function useNested(data: IGraphData, folds: IFolds): INested {
  const shape = JSON.stringify(shapeOf(data, folds));
  // States change often and shape rarely: only the shape lays out anew.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const plan = React.useMemo(() => nest(data, folds.isOpen, SIZES), [shape]);
  return React.useMemo(() => {
    const boxes = new Map(plan.boxes);
    const renew = (level: IGraphData) =>
      level.nodes.forEach(node => {
        const box = boxes.get(node.id);
        if (box) {
          boxes.set(node.id, { ...box, node });
        }
        if (node.inner) {
          renew(node.inner);
        }
      });
    renew(data);
    return { ...plan, boxes };
  }, [plan, data]);
}

function shapeOf(data: IGraphData, folds: IFolds): unknown {
  return [
    data.nodes.map(node => [
      node.id,
      Boolean(node.iterations?.length),
      node.inner && folds.isOpen(node.id) ? shapeOf(node.inner, folds) : 0
    ]),
    data.edges.map(edge => [edge.source, edge.target])
  ];
}

/** A pipeline as boxes and lines. Arrow keys go from node to node; drag moves, Ctrl-wheel zooms. */
export function Graph(props: IGraphProps): JSX.Element {
  return props.variant === 'mini' ? <MiniGraph {...props} /> : <FullGraph {...props} />;
}

function MiniGraph(props: IGraphProps): JSX.Element {
  const { data } = props;
  const shape = JSON.stringify([
    data.nodes.map(node => node.id),
    data.edges.map(edge => [edge.source, edge.target])
  ]);
  const plan = React.useMemo(() => {
    const nodes = data.nodes.map(({ id }) => ({ id, width: 18, height: 10 }));
    return layout(nodes, data.edges, MINI);
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [shape]);
  return (
    <div
      className="jk-Graph jk-mod-mini"
      role="group"
      aria-label={props.label}
      style={{ width: plan.width, height: plan.height }}
    >
      <Edges plan={plan} edges={data.edges} near={props.selected} />
      {data.nodes.map(node => (
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
  const own = useFolds(data);
  const folds = props.folds ?? own;
  const plan = useNested(data, folds);
  const frame = React.useRef<HTMLDivElement>(null);
  const { view, setView, refit, hold } = useViewport(frame, plan);
  const ids = React.useMemo(() => new Set(data.critical), [data.critical]);
  const tree = React.useMemo(() => data.nodes.some(node => node.inner), [data]);
  const live = React.useRef({ folds, hold });
  live.current = { folds, hold };
  const toggle = React.useCallback((id: string) => {
    live.current.hold(id);
    live.current.folds.toggle(id);
  }, []);
  const focus = (id: string) => {
    const box = plan.boxes.get(id);
    const window = frame.current?.getBoundingClientRect();
    if (box && window) {
      // Of an open group the head is what is gone to.
      const place = box.open ? { ...box.place, height: SIZES.head(box.node) } : box.place;
      setView(value => reveal(value, place, window));
      frame.current?.querySelector<HTMLElement>(`[data-node="${CSS.escape(id)}"]`)?.focus();
      onSelect?.(box.node.unit ?? id);
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const id = (event.target as HTMLElement).dataset.node;
    const next = id ? move(plan.boxes, id, event.key) : null;
    if (next && 'to' in next) {
      focus(next.to);
    } else if (next) {
      toggle(next.toggle);
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
  const boxes = [...plan.boxes.values()];
  const at = boxes.find(box => selected && isAt(box.node, selected)) ?? null;
  const stop = (at ?? boxes[0])?.node.id;
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
          <div
            className="jk-Graph-nodes"
            role={tree ? 'tree' : undefined}
            aria-label={tree ? props.label : undefined}
          >
            {boxes.map(box => (
              <GraphNode
                key={box.node.id}
                box={box}
                tree={tree}
                selected={selected ?? null}
                tabStop={box.node.id === stop}
                critical={ids.has(box.node.id) && !box.open}
                faded={Boolean(props.highlighted && !props.highlighted.has(box.node.id))}
                onToggle={toggle}
                onSelect={onSelect}
                onOpen={props.onOpen}
              />
            ))}
          </div>
          <Edges
            plan={plan}
            edges={allEdges(data)}
            near={at?.node.id}
            level={levelEdges(plan, data, at)}
            critical={ids}
          />
          {boxes
            .filter(box => box.node.iterations?.length)
            .map(box => (
              <NodeStrip
                key={box.node.id}
                box={box}
                selected={selected ?? null}
                tabStop={box.node.id === stop}
                onSelect={onSelect}
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

function allEdges(data: IGraphData): IGraphEdge[] {
  return [...data.edges, ...data.nodes.flatMap(node => (node.inner ? allEdges(node.inner) : []))];
}

/** The edges among which the selected node stands. */
function levelEdges(plan: INested, data: IGraphData, at: IBox | null): IGraphEdge[] {
  const parent = at?.parent ? plan.boxes.get(at.parent) : null;
  return parent?.node.inner?.edges ?? data.edges;
}

function zoomMiddle(view: IViewport, frame: HTMLElement | null, factor: number): IViewport {
  const box = frame?.getBoundingClientRect();
  return zoomAt(view, factor, (box?.width ?? 0) / 2, (box?.height ?? 0) / 2);
}

function useViewport(
  frame: React.RefObject<HTMLDivElement>,
  plan: INested
): {
  view: IViewport;
  setView: React.Dispatch<React.SetStateAction<IViewport>>;
  refit: () => void;
  /** What comes next changes the drawing, and this node stays where it is on the screen. */
  hold: (id: string) => void;
} {
  const [view, setView] = React.useState<IViewport>({ x: 0, y: 0, scale: 1 });
  const touched = React.useRef(false);
  const held = React.useRef<{ id: string; x: number; y: number } | null>(null);
  const hold = (id: string) => {
    const place = plan.boxes.get(id)?.place;
    held.current = place ? { id, x: place.x, y: place.y } : null;
    touched.current = true;
  };
  React.useLayoutEffect(() => {
    const before = held.current;
    const place = before && plan.boxes.get(before.id)?.place;
    if (before && place && (place.x !== before.x || place.y !== before.y)) {
      setView(old => ({
        ...old,
        x: old.x + (before.x - place.x) * old.scale,
        y: old.y + (before.y - place.y) * old.scale
      }));
    }
    held.current = null;
  }, [plan]);
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
  return { view, setView, refit, hold };
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
    if (event.button === 0 && !(event.target as HTMLElement).closest('button, .jk-Strip')) {
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
  plan: { routes: IRoute[]; width: number; height: number };
  edges: readonly IGraphEdge[];
  /** The node whose relations are marked, and the edges among which it stands. */
  near?: string | null;
  level?: readonly IGraphEdge[];
  critical?: ReadonlySet<string>;
}): JSX.Element {
  const { plan, edges } = props;
  const near = props.near ? related(props.level ?? edges, props.near) : null;
  const kinds = new Map(edges.map(edge => [`${edge.source}\n${edge.target}`, edge]));
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
