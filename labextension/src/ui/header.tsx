import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { number } from '../format';
import { useKubeflow } from './context';
import { InlineConfirm } from './controls';

/** The head of a view: its mark, its title and its actions in one line, then why it is so, then the rest. */
export function ViewHeader(props: {
  mark?: React.ReactNode;
  title: string;
  /** What stands beside the title: a name or an address, to copy. */
  id?: React.ReactNode;
  actions: React.ReactNode;
  reason?: string | false | null;
  /** Whether a changed reason is read out. */
  live?: boolean;
  className?: string;
  children?: React.ReactNode;
}): JSX.Element {
  return (
    <div className={props.className ? `jk-Header ${props.className}` : 'jk-Header'}>
      <div className="jk-Header-top">
        {props.mark}
        <h1 className="jk-Header-title" dir="auto" title={props.title}>
          {props.title}
        </h1>
        {props.id}
        {props.actions}
      </div>
      {props.reason && (
        <p className="jk-Header-reason" dir="auto" role={props.live ? 'status' : undefined}>
          {props.reason}
        </p>
      )}
      {props.children}
    </div>
  );
}

/** A question in place of the actions. */
export interface IQuestion {
  question: string;
  verb: string;
  confirm: () => Promise<unknown> | void;
}

/** The buttons of a head; while something is asked, the question stands in their place. */
export function HeaderActions(props: {
  label: string;
  asked?: IQuestion | null | false;
  onAnswered?: () => void;
  children: React.ReactNode;
}): JSX.Element {
  const { asked, onAnswered } = props;
  if (asked) {
    return (
      <div className="jk-Header-actions">
        <InlineConfirm
          question={asked.question}
          verb={asked.verb}
          onConfirm={asked.confirm}
          onCancel={() => onAnswered?.()}
        />
      </div>
    );
  }
  return (
    <div className="jk-Header-actions" role="toolbar" aria-label={props.label}>
      {props.children}
    </div>
  );
}

/** A fact: what this belongs to, as a link. `owner`: kind and name with a slash between. */
export function PartOf(props: { owner: string | undefined }): JSX.Element | null {
  const kubeflow = useKubeflow();
  const [kind, name] = (props.owner ?? '').split('/');
  if (!name || !kubeflow.sections.view(kind)) {
    return null;
  }
  return (
    <li>
      <button type="button" className="jk-Link" onClick={() => void kubeflow.open(kind, name)}>
        {kubeflow.trans.__('Part of %1', name)}
      </button>
    </li>
  );
}

/** A name and its value; `title` where it is not simply both. */
export interface IChip {
  name: string;
  text: string;
  title?: string;
}

export interface IChipGroup {
  label: string;
  chips: IChip[];
  className?: string;
}

/** The group of metrics. */
export function metricChips(metrics: [string, number][], trans: TranslationBundle): IChipGroup {
  const chips = metrics.map(([name, value]) => ({
    name,
    text: number(value),
    title: `${name}: ${value}`
  }));
  return { label: trans.__('Metrics'), className: 'jk-mod-metrics', chips };
}

/** Groups of names and values, at most twelve of a group; nothing where all are empty. */
export function Chips(props: { groups: IChipGroup[] }): JSX.Element | null {
  const groups = props.groups.filter(group => group.chips.length > 0);
  if (!groups.length) {
    return null;
  }
  return (
    <div className="jk-Chips">
      {groups.map(group => (
        <ul key={group.label} className={group.className} aria-label={group.label}>
          {group.chips.slice(0, 12).map(({ name, text, title }) => (
            <li key={name} title={title ?? `${name} = ${text}`}>
              <span dir="auto">{name}</span>
              <b dir="auto">{text}</b>
            </li>
          ))}
        </ul>
      ))}
    </div>
  );
}
