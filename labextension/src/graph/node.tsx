import * as React from 'react';

import { duration } from '../format';
import { tone } from '../model/states';
import { useTrans } from '../ui/context';
import { Chevron } from '../ui/controls';
import { CacheMark, StateIcon, stateWord } from '../ui/state';
import { Elapsed } from '../ui/time';
import type { IPlaced } from './layout';
import type { IGraphNode } from './model';
import type { IBox, ISizes } from './nested';
import { splitId } from './outline';
import { Strip, STRIP_HEIGHT } from './strip';

export const NODE_WIDTH = 188;
export const GROUP_PAD = 14;
const HEAD = 52;

export const SIZES: ISizes = {
  node: node => ({
    width: NODE_WIDTH,
    height: HEAD + (node.iterations?.length ? STRIP_HEIGHT : 0)
  }),
  head: node => HEAD + (node.iterations?.length ? STRIP_HEIGHT : 0) + 4,
  pad: GROUP_PAD,
  spacing: { x: 18, y: 36, margin: 14 }
};

interface INodeProps {
  box: IBox;
  selected: string | null;
  tabStop: boolean;
  critical: boolean;
  faded: boolean;
  /** In a tree, where groups fold. */
  tree: boolean;
  onToggle: (id: string) => void;
  onSelect?: (id: string) => void;
  onOpen?: (id: string) => void;
}

/** One step, or a group of them: icon, name, what it does or how long it took. */
export const GraphNode = React.memo(function GraphNode(props: INodeProps): JSX.Element {
  const { box, tree } = props;
  const { node, place } = box;
  const trans = useTrans();
  const unit = node.unit ?? node.id;
  const selected = isAt(node, props.selected);
  const classes = ['jk-Node', `jk-tone-${node.state ? tone(node.state) : 'off'}`];
  const flags: [boolean, string][] = [
    [selected, 'jk-mod-selected'],
    [props.critical, 'jk-mod-critical'],
    [props.faded, 'jk-mod-faded'],
    [node.kind === 'setup', 'jk-mod-setup'],
    [node.state === 'RUNNING', 'jk-mod-running'],
    [Boolean(node.inner), 'jk-mod-group'],
    [box.open, 'jk-mod-open']
  ];
  flags.forEach(([on, name]) => on && classes.push(name));
  const part = tree
    ? {
        role: 'treeitem',
        'aria-level': box.level,
        'aria-posinset': box.position,
        'aria-setsize': box.siblings,
        'aria-expanded': node.inner ? box.open : undefined,
        'aria-selected': selected
      }
    : { 'aria-pressed': selected };
  return (
    <div
      className={classes.join(' ')}
      role={tree ? 'presentation' : undefined}
      style={{ left: place.x, top: place.y, width: place.width, height: place.height }}
    >
      <button
        type="button"
        className="jk-Node-head"
        data-node={node.id}
        data-unit={unit}
        data-state={node.state ?? undefined}
        tabIndex={props.tabStop ? 0 : -1}
        {...part}
        aria-label={describe(node, props.critical, trans)}
        title={[node.title, node.condition, node.reason].filter(Boolean).join('\n')}
        onClick={() => props.onSelect?.(unit)}
        onDoubleClick={() => (node.inner ? props.onToggle(node.id) : props.onOpen?.(unit))}
      >
        {node.inner && (
          <span
            className="jk-Node-chevron"
            onClick={event => {
              event.stopPropagation();
              props.onToggle(node.id);
            }}
            onDoubleClick={event => event.stopPropagation()}
          >
            <Chevron open={box.open} />
          </span>
        )}
        <NodeFace node={node} />
      </button>
    </div>
  );
});

/** Whether the node, or an iteration of it, is what is selected. */
export function isAt(node: IGraphNode, selected: string | null): boolean {
  return (
    selected !== null &&
    (selected === node.id ||
      selected === node.unit ||
      splitId(selected).base === node.id ||
      Boolean(node.iterations?.some(each => each.id === selected)))
  );
}

/** The iterations of a node, below its name. Drawn beside the tree, for no tree has such parts. */
export function NodeStrip(props: {
  box: IBox;
  selected: string | null;
  tabStop: boolean;
  onSelect?: (id: string) => void;
}): JSX.Element {
  const { box } = props;
  const { node, place } = box;
  const trans = useTrans();
  const iterations = node.iterations ?? [];
  const base = splitId(props.selected ?? '').base;
  const chosen = node.chosen ? `${node.id}[${node.chosen.join()}]` : null;
  const at = base === node.id ? props.selected : (chosen ?? node.unit ?? null);
  return (
    <div
      className="jk-Graph-strip"
      style={{ left: place.x + 10, top: place.y + HEAD - 4, width: place.width - 20 }}
    >
      <Strip
        label={trans.__('Iterations of %1', node.title)}
        iterations={iterations}
        selected={at}
        width={Math.min(place.width - 20, 420)}
        tabIndex={props.tabStop ? 0 : -1}
        onSelect={id => props.onSelect?.(id ?? node.id)}
      />
    </div>
  );
}

function NodeFace(props: { node: IGraphNode }): JSX.Element {
  const { node } = props;
  const trans = useTrans();
  return (
    <>
      {node.state ? (
        <StateIcon state={node.state} size={18} />
      ) : node.icon ? (
        <node.icon.react tag="span" className="jk-Node-icon" />
      ) : (
        <span className="jk-Node-dot" />
      )}
      <span className="jk-Node-text">
        <span className="jk-Node-title" dir="auto">
          {node.group === 'condition' ? trans.__('If %1', node.condition) : node.title}
        </span>
        <span className="jk-Node-note">
          <NodeNote node={node} />
          {(node.attempt ?? 1) > 1 && (
            <span className="jk-Node-attempt">{trans.__('attempt %1', node.attempt)}</span>
          )}
        </span>
      </span>
      {node.exit && (
        <span
          className="jk-Node-tag"
          title={trans.__('Runs at the end, whatever happened to what it waits for')}
        >
          {trans.__('exit')}
        </span>
      )}
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
  if (node.note !== undefined) {
    return <span dir="auto">{node.note}</span>;
  }
  if (!node.state) {
    const still = node.kind === 'setup' ? trans.__('Shared by all steps') : groupNote(node, trans);
    return <>{node.left ? trans.__('Not run') : still}</>;
  }
  const word = node.cached ? trans.__('From cache') : stateWord(node.state, trans);
  if (node.inner && node.done !== node.count && node.state !== 'PENDING') {
    return <>{trans.__('%1 · %2 of %3 tasks', word, node.done, node.count)}</>;
  }
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

/** What a group is, while nothing of it has run. */
function groupNote(node: IGraphNode, trans: ReturnType<typeof useTrans>): string {
  switch (node.group) {
    case 'loop':
      return trans.__('Loop');
    case 'condition':
      return trans.__('Condition');
    case 'branches':
      return trans.__('One of several');
    case 'exit':
      return trans.__('With an exit task');
    case 'dag':
      return trans.__('Pipeline in the pipeline');
    case undefined:
      return node.condition ? trans.__('If %1', node.condition) : '';
  }
}

function describe(node: IGraphNode, critical: boolean, trans: ReturnType<typeof useTrans>): string {
  const parts = [node.group === 'condition' ? trans.__('If %1', node.condition) : node.title];
  if (node.group === 'loop') {
    parts.push(trans.__('loop'));
  }
  if (node.exit) {
    parts.push(trans.__('exit task'));
  }
  if (node.note) {
    parts.push(node.note);
  } else if (node.left) {
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
