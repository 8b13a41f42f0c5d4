import * as React from 'react';

import { duration } from '../../format';
import type { Chosen, IGroup, IIteration } from '../../graph/outline';
import { splitId } from '../../graph/outline';
import { Strip } from '../../graph/strip';
import type { Tree } from '../../graph/tree';
import { treeOf } from '../../graph/tree';
import type { IRun, RunState } from '../../model/types';
import { useTrans } from '../../ui/context';
import { Button, onListKeys } from '../../ui/controls';
import { StateBadge, StateIcon, stateWord } from '../../ui/state';
import { useWindow } from '../../ui/virtual';

const ROW = 28;
const TALLEST = 420;

/** A group of tasks, or one iteration of it: how it stands, why, and what is in it. */
export function GroupDetail(props: {
  run: IRun;
  id: string;
  chosen: Chosen;
  onSelect: (id: string | null) => void;
}): JSX.Element {
  const { run, id, chosen, onSelect } = props;
  const trans = useTrans();
  const { base, index } = splitId(id);
  const tree = React.useMemo(() => treeOf(run, chosen), [run, chosen]);
  const group = tree?.outline.group(base);
  if (!tree || !group) {
    return <p className="jk-Quiet">{trans.__('This run has no part “%1”.', id)}</p>;
  }
  const node = tree.groupNode(group);
  const iterations = node.iterations ?? [];
  const at = index ? iterations.find(each => each.id === id) : undefined;
  const state = at ? at.state : node.state;
  const seconds = at ? at.seconds : node.seconds;
  const title = group.kind === 'condition' ? trans.__('If %1', group.condition) : group.title;
  return (
    <section className="jk-Detail" aria-label={trans.__('Part %1', id)}>
      <div className="jk-Detail-head">
        {state && <StateIcon state={state} label={stateWord(state, trans)} size={18} />}
        <h2 dir="auto" title={`${title}\n${base.replace(/\/$/, '')}`}>
          {title}
        </h2>
        {index && <code className="jk-Muted">{`[${index.join()}]`}</code>}
        <span className="jk-Spacer" />
        {seconds !== null && seconds !== undefined && (
          <span className="jk-Muted">{duration(seconds)}</span>
        )}
        <button
          type="button"
          className="jk-Button jk-mod-icon"
          aria-label={trans.__('Close part')}
          title={trans.__('Back to the whole run')}
          onClick={() => onSelect(null)}
        >
          ✕
        </button>
      </div>
      <div className="jk-Detail-panel jk-Summary jk-mod-part">
        <div className="jk-Summary-state">
          <StateBadge state={state ?? undefined} />
          <p>{kindText(group, trans)}</p>
          {node.reason && !at && <p dir="auto">{node.reason}</p>}
        </div>
        {iterations.length > 0 && (
          <Iterations
            title={group.title}
            iterations={iterations}
            selected={id}
            onSelect={next => onSelect(next ?? base)}
          />
        )}
        {at?.item && (
          <section aria-label={trans.__('Item')}>
            <h3>{trans.__('Item')}</h3>
            <p dir="auto">
              <code>{at.item}</code>
            </p>
          </section>
        )}
        {(group.kind !== 'loop' || at || !iterations.length) && (
          <Tasks tree={tree} group={group} onSelect={onSelect} />
        )}
      </div>
    </section>
  );
}

function kindText(group: IGroup, trans: ReturnType<typeof useTrans>): string {
  switch (group.kind) {
    case 'loop':
      return group.limit
        ? trans.__('A loop: its tasks run once for each item, at most %1 at a time.', group.limit)
        : trans.__('A loop: its tasks run once for each item.');
    case 'condition':
      return trans.__('Its tasks run if %1.', group.condition);
    case 'branches':
      return trans.__('Of these branches at most one runs.');
    case 'exit':
      return trans.__('However this ends, its exit task runs.');
    case 'dag':
      return trans.__('A pipeline in the pipeline.');
  }
}

/** What is directly in a group, as it stands in the iteration that is looked at. */
function Tasks(props: { tree: Tree; group: IGroup; onSelect: (id: string) => void }): JSX.Element {
  const { tree, group } = props;
  const trans = useTrans();
  const { groups, steps } = tree.below(group.id);
  const nodes = [
    ...groups.map(each => tree.groupNode(each)),
    ...steps.map(name => tree.node(name, tree.title(name)))
  ];
  return (
    <section aria-label={trans.__('Tasks')}>
      <h3>{trans.__('Tasks')}</h3>
      <ul className="jk-Rows" onKeyDown={onListKeys}>
        {nodes.map(node => (
          <PartRow
            key={node.id}
            state={node.state}
            label={node.group === 'condition' ? trans.__('If %1', node.condition) : node.title}
            note={node.state === 'SKIPPED' || node.state === 'FAILED' ? node.reason : ''}
            seconds={node.seconds}
            onClick={() => props.onSelect(node.unit ?? node.id)}
          />
        ))}
      </ul>
    </section>
  );
}

function PartRow(props: {
  state: RunState | null;
  label: string;
  note?: string;
  seconds?: number | null;
  selected?: boolean;
  onClick: () => void;
}): JSX.Element {
  const trans = useTrans();
  const word = props.state ? stateWord(props.state, trans) : '';
  return (
    <li className="jk-PartRow">
      <button
        type="button"
        data-row=""
        aria-pressed={props.selected}
        title={[props.label, word, props.note].filter(Boolean).join('\n')}
        onClick={props.onClick}
      >
        {props.state ? <StateIcon state={props.state} label={word} size={14} /> : <i />}
        <span className="jk-Ellipsis" dir="auto">
          {props.label}
        </span>
        <span className="jk-Ellipsis jk-Muted" dir="auto">
          {props.note}
        </span>
        <span className="jk-Muted">{duration(props.seconds)}</span>
      </button>
    </li>
  );
}

/** All iterations: the strip to see them at once, the list to find one. Only those in sight are drawn. */
export function Iterations(props: {
  title: string;
  iterations: readonly IIteration[];
  selected: string | null;
  onSelect: (id: string | null) => void;
}): JSX.Element {
  const { iterations, selected } = props;
  const trans = useTrans();
  const [only, setOnly] = React.useState(false);
  const failed = iterations.filter(each => each.state === 'FAILED');
  const shown = only ? failed : iterations;
  const scroller = React.useRef<HTMLDivElement>(null);
  const { from, to } = useWindow(scroller, shown.length, ROW);
  const at = shown.findIndex(each => each.id === selected);
  React.useEffect(() => {
    const node = scroller.current;
    if (node && at >= 0) {
      const top = at * ROW;
      if (top < node.scrollTop || top + ROW > node.scrollTop + node.clientHeight) {
        node.scrollTop = Math.max(0, top - node.clientHeight / 2);
      }
    }
  }, [at]);
  return (
    <section aria-label={trans.__('Iterations')}>
      <h3>
        {trans._n('%1 iteration', '%1 iterations', iterations.length)}
        {failed.length > 0 && (
          <>
            {' '}
            <Button
              label={trans.__('%1 failed', failed.length)}
              pressed={only}
              onClick={() => setOnly(!only)}
            />
          </>
        )}
      </h3>
      <Strip
        label={trans.__('Iterations of %1', props.title)}
        iterations={iterations}
        selected={selected}
        width={360}
        onSelect={props.onSelect}
      />
      <div
        className="jk-Iterations"
        ref={scroller}
        style={{ height: Math.min(TALLEST, shown.length * ROW + 2) }}
      >
        <ul
          className="jk-Rows"
          style={{ height: shown.length * ROW, paddingTop: from * ROW }}
          onKeyDown={onListKeys}
        >
          {shown.slice(from, to).map(each => (
            <PartRow
              key={each.id}
              state={each.state}
              label={`[${each.index.join()}]`}
              note={each.item}
              seconds={each.seconds}
              selected={each.id === selected}
              onClick={() => props.onSelect(each.id)}
            />
          ))}
        </ul>
      </div>
    </section>
  );
}
