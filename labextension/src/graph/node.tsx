import * as React from 'react';

import { duration } from '../format';
import { tone } from '../model/states';
import { useTrans } from '../ui/context';
import { CacheMark, StateIcon, stateWord } from '../ui/state';
import { Elapsed } from '../ui/time';
import type { IPlaced } from './layout';
import type { IGraphNode } from './model';

export const NODE_WIDTH = 188;
const HEAD = 52;
const CHILD = 26;
const SHOWN = 12;

export function nodeHeight(node: IGraphNode, open: boolean): number {
  const count = node.children?.length ?? 0;
  if (!count) {
    return HEAD;
  }
  const rows = open ? Math.min(count, SHOWN) + (count > SHOWN ? 1 : 0) : 0;
  return HEAD + 24 + rows * CHILD + (open ? 6 : 0);
}

interface INodeProps {
  node: IGraphNode;
  place: IPlaced;
  selected: string | null;
  tabStop: boolean;
  critical: boolean;
  faded: boolean;
  open: boolean;
  onToggle: (id: string) => void;
  onSelect?: (id: string) => void;
  onOpen?: (id: string) => void;
}

/** One step: icon, name, what it does or how long it took. Iterations unfold below it. */
export const GraphNode = React.memo(function GraphNode(props: INodeProps): JSX.Element {
  const { node, place } = props;
  const trans = useTrans();
  const classes = ['jk-Node', `jk-tone-${node.state ? tone(node.state) : 'off'}`];
  const flags: [boolean, string][] = [
    [node.id === props.selected, 'jk-mod-selected'],
    [props.critical, 'jk-mod-critical'],
    [props.faded, 'jk-mod-faded'],
    [node.kind === 'setup', 'jk-mod-setup'],
    [node.state === 'RUNNING', 'jk-mod-running'],
    [Boolean(node.children?.length), 'jk-mod-group']
  ];
  flags.forEach(([on, name]) => on && classes.push(name));
  return (
    <div
      className={classes.join(' ')}
      style={{ left: place.x, top: place.y, width: place.width, height: place.height }}
    >
      <button
        type="button"
        className="jk-Node-head"
        data-node={node.id}
        data-state={node.state ?? undefined}
        tabIndex={props.tabStop ? 0 : -1}
        aria-pressed={node.id === props.selected}
        aria-label={describe(node, props.critical, trans)}
        title={node.reason ? `${node.title}\n${node.reason}` : node.title}
        onClick={() => props.onSelect?.(node.id)}
        onDoubleClick={() => props.onOpen?.(node.id)}
      >
        <NodeFace node={node} critical={props.critical} />
      </button>
      {node.children?.length ? (
        <Iterations {...props} items={node.children} onToggle={() => props.onToggle(node.id)} />
      ) : null}
    </div>
  );
});

function NodeFace(props: { node: IGraphNode; critical: boolean }): JSX.Element {
  const { node } = props;
  const trans = useTrans();
  return (
    <>
      {node.state ? <StateIcon state={node.state} size={18} /> : <span className="jk-Node-dot" />}
      <span className="jk-Node-text">
        <span className="jk-Node-title" dir="auto">
          {node.title}
        </span>
        <span className="jk-Node-note">
          <NodeNote node={node} />
          {(node.attempt ?? 1) > 1 && (
            <span className="jk-Node-attempt">{trans.__('attempt %1', node.attempt)}</span>
          )}
        </span>
      </span>
      {node.cached && <CacheMark label={trans.__('From cache')} />}
      {node.problem && (
        <span className={`jk-Node-problem jk-tone-${node.problem === 'error' ? 'bad' : 'wait'}`}>
          !
        </span>
      )}
    </>
  );
}

function NodeNote(props: { node: IGraphNode }): JSX.Element {
  const { node } = props;
  const trans = useTrans();
  if (!node.state) {
    const still = node.kind === 'setup' ? trans.__('Shared by all steps') : '';
    return <>{node.left ? trans.__('Not run') : still}</>;
  }
  const word = node.cached ? trans.__('From cache') : stateWord(node.state, trans);
  if (node.state === 'RUNNING') {
    return (
      <>
        {word} · <Elapsed start={node.startedAt} />
      </>
    );
  }
  const took = node.seconds !== null && node.seconds !== undefined && node.startedAt;
  const text = took ? `${word} · ${duration(node.seconds)}` : word;
  return <>{node.state === 'PENDING' && node.reason ? node.reason : text}</>;
}

function Iterations(
  props: Pick<INodeProps, 'selected' | 'open' | 'onSelect' | 'onOpen'> & {
    items: IGraphNode[];
    onToggle: () => void;
  }
): JSX.Element {
  const trans = useTrans();
  const shown = props.items.slice(0, SHOWN);
  const rest = props.items.length - shown.length;
  return (
    <>
      <button
        type="button"
        className="jk-Node-fold"
        tabIndex={-1}
        aria-expanded={props.open}
        onClick={props.onToggle}
      >
        <span className="jk-Node-squares" aria-hidden="true">
          {props.items.slice(0, 20).map(item => (
            <i key={item.id} className={`jk-tone-${tone(item.state ?? 'PENDING')}`} />
          ))}
        </span>
        {trans._n('%1 iteration', '%1 iterations', props.items.length)}
      </button>
      {props.open &&
        shown.map(item => (
          <button
            type="button"
            key={item.id}
            className={`jk-Node-child jk-tone-${tone(item.state ?? 'PENDING')}`}
            aria-pressed={item.id === props.selected}
            onClick={() => props.onSelect?.(item.id)}
            onDoubleClick={() => props.onOpen?.(item.id)}
          >
            <StateIcon state={item.state} size={14} label={stateWord(item.state!, trans)} />
            <span className="jk-Node-childName" dir="auto">
              {item.title}
            </span>
            <span>{duration(item.seconds)}</span>
          </button>
        ))}
      {props.open && rest > 0 && (
        <span className="jk-Node-more">{trans.__('and %1 more in the timeline', rest)}</span>
      )}
    </>
  );
}

function describe(node: IGraphNode, critical: boolean, trans: ReturnType<typeof useTrans>): string {
  const parts = [node.title];
  if (node.left) {
    parts.push(trans.__('not run'));
  }
  if (node.state) {
    parts.push(node.cached ? trans.__('from cache') : stateWord(node.state, trans));
  }
  if (node.seconds !== null && node.seconds !== undefined) {
    parts.push(duration(node.seconds));
  }
  if (critical) {
    parts.push(trans.__('on the critical path'));
  }
  if (node.problem) {
    parts.push(node.problem === 'error' ? trans.__('has an error') : trans.__('has a warning'));
  }
  return parts.join(', ');
}

/** A square of a minimap. */
export const MiniNode = React.memo(function MiniNode(props: {
  node: IGraphNode;
  place: IPlaced;
  selected: boolean;
  faded: boolean;
  onSelect?: (id: string) => void;
  onHover?: (id: string | null) => void;
}): JSX.Element {
  const { node, place } = props;
  const trans = useTrans();
  const shade = node.problem
    ? node.problem === 'error'
      ? 'bad'
      : 'wait'
    : node.state
      ? tone(node.state)
      : 'off';
  const classes = ['jk-MiniNode', `jk-tone-${shade}`];
  if (props.selected) {
    classes.push('jk-mod-selected');
  }
  if (props.faded) {
    classes.push('jk-mod-faded');
  }
  const label = describe(node, false, trans);
  return (
    <button
      type="button"
      className={classes.join(' ')}
      data-node={node.id}
      data-state={node.state ?? undefined}
      style={{ left: place.x, top: place.y, width: place.width, height: place.height }}
      aria-label={label}
      title={label}
      onClick={() => props.onSelect?.(node.id)}
      onPointerEnter={() => props.onHover?.(node.id)}
      onPointerLeave={() => props.onHover?.(null)}
    />
  );
});
