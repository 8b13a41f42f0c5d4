import * as React from 'react';

import type { ISection } from '../kinds';
import type { IWork } from '../model/types';
import { isActive, knownState } from '../model/states';
import { useKubeflow, useSignal } from '../ui/context';
import { Progress, RowList } from '../ui/controls';
import { useItem } from '../ui/resources';
import { StateBadge, StateIcon } from '../ui/state';
import { Elapsed, RelativeTime } from '../ui/time';
import { Card } from './card';
import type { IRow, IWorkPart } from './page';
import { totals } from './page';

/** So many recent ones are shown; the rest is in the tables. */
const RECENT = 8;

/** What goes on, and what failed today. */
export function Work(props: { work: IWorkPart }): JSX.Element {
  const { active, failed } = props.work;
  const { trans } = useKubeflow();
  return (
    <>
      <Card
        title={trans.__('Now')}
        note={active.length ? undefined : trans.__('Nothing is running.')}
      >
        <Rows label={trans.__('Running and waiting')} rows={active} />
      </Card>
      {failed.length > 0 && (
        <Card title={trans.__('Failed in the last day')}>
          <Rows label={trans.__('Failed in the last day')} rows={failed} />
        </Card>
      )}
    </>
  );
}

/** What was done last, and what begins by the clock. */
export function Past(props: { work: IWorkPart }): JSX.Element {
  const { active, failed, recent, counts, schedules } = props.work;
  const { trans } = useKubeflow();
  const shown = new Set([...active, ...failed].map(keyOf));
  const rest = recent.filter(row => !shown.has(keyOf(row))).slice(0, RECENT);
  return (
    <>
      {schedules.length > 0 && (
        <Card title={trans.__('Schedules')}>
          <Rows
            label={trans.__('Schedules')}
            rows={schedules}
            when={row => row.next ?? null}
            steady={trans.__('On')}
          />
        </Card>
      )}
      <Card title={trans.__('Recent')} note={<Counts counts={counts} />}>
        {rest.length > 0 && <Rows label={trans.__('Recent')} rows={rest} />}
      </Card>
    </>
  );
}

function keyOf(row: IRow): string {
  return `${row.kind}/${row.name}`;
}

/** How many there are of each capability; the way to the tables. */
function Counts(props: { counts: IWorkPart['counts'] }): JSX.Element {
  const { counts } = props;
  const kubeflow = useKubeflow();
  const { trans, sections } = kubeflow;
  useSignal(sections.changed);
  const sums = sections.all
    .map(section => ({ section, ...sumOf(section, counts) }))
    .filter(({ all }) => all > 0);
  return (
    <span className="jk-Home-counts">
      {sums.map(({ section, all, failed }) => (
        <button
          key={section.id}
          type="button"
          className="jk-Home-count"
          title={trans.__('Show all: %1', section.words.items)}
          onClick={() => void kubeflow.openTable(section.id)}
        >
          {section.title} <b>{all}</b>
          {failed > 0 && <span className="jk-Home-failed">{trans.__('%1 failed', failed)}</span>}
        </button>
      ))}
    </span>
  );
}

function sumOf(section: ISection, counts: IWorkPart['counts']): { all: number; failed: number } {
  const each = section.kinds.map(({ kind }) => totals(counts[kind] ?? {}));
  return {
    all: each.reduce((sum, { all }) => sum + all, 0),
    failed: each.reduce((sum, { failed }) => sum + failed, 0)
  };
}

/** Rows of the server's page, each kept true by its resource's own events. */
export function Rows<T extends IRow>(props: {
  label: string;
  rows: readonly T[];
  when?: (row: T) => string | null;
  extra?: (row: T) => React.ReactNode;
  /** What is said of one that is as it should be, where that is no work that goes on. */
  steady?: string;
}): JSX.Element | null {
  const { rows, label, when, extra, steady } = props;
  return rows.length ? (
    <RowList label={label}>
      {rows.map(row => (
        <Row key={keyOf(row)} row={row} when={when?.(row)} extra={extra?.(row)} steady={steady} />
      ))}
    </RowList>
  ) : null;
}

function Row(props: {
  row: IRow;
  when?: string | null;
  extra?: React.ReactNode;
  steady?: string;
}): JSX.Element {
  const { row, when, extra, steady } = props;
  const kubeflow = useKubeflow();
  const { trans, sections } = kubeflow;
  const item: IWork | undefined = useItem(row.kind, row.name);
  const view = sections.view(row.kind);
  // The item of an earlier resource of the same name is no news of this one.
  const live = item && item.metadata.creationTimestamp === row.created ? item.status : undefined;
  const phase = knownState(live?.phase ?? row.phase);
  const reason = (live ? live.reason : row.reason) || '';
  const { startTime, completionTime, progress } = { ...row, ...live };
  const Icon = view?.icon;
  const title = row.title || row.name;
  const goesOn = isActive(phase) && when === undefined && !view?.settled?.(item ?? asItem(row));
  return (
    <li className="jk-Home-row" data-run={row.name} data-kind={row.kind} data-state={phase}>
      <button
        type="button"
        data-row=""
        disabled={!view}
        title={`${title}\n${row.name}`}
        onClick={() => void kubeflow.open(row.kind, row.name)}
      >
        <span className="jk-Home-icon" aria-hidden="true">
          {Icon && <Icon.react tag="span" />}
        </span>
        <span className="jk-Home-title" dir="auto">
          {title}
        </span>
        {steady !== undefined && phase === 'RUNNING' ? (
          <Steady word={steady} />
        ) : (
          <StateBadge state={phase} />
        )}
        <span className="jk-Home-time">
          {when !== undefined ? (
            when && (
              <>
                {trans.__('next')} <RelativeTime time={when} />
              </>
            )
          ) : goesOn ? (
            <Elapsed start={startTime ?? row.created} />
          ) : (
            <RelativeTime time={completionTime ?? startTime ?? row.created} />
          )}
        </span>
        {reason && (
          <span className="jk-Home-reason" dir="auto" title={reason}>
            {reason}
          </span>
        )}
        {extra}
      </button>
      {goesOn && phase === 'RUNNING' && typeof progress === 'number' && (
        <Progress value={progress} label={trans.__('Progress of %1', title)} />
      )}
    </li>
  );
}

/** As it should be: a schedule that is on and an endpoint that answers do not run on to an end. */
function Steady(props: { word: string }): JSX.Element {
  return (
    <span className="jk-StateBadge jk-tone-good">
      <StateIcon state="SUCCEEDED" />
      <span>{props.word}</span>
    </span>
  );
}

function asItem(row: IRow): IWork {
  return {
    kind: row.kind,
    metadata: {
      name: row.name,
      uid: '',
      resourceVersion: 0,
      creationTimestamp: row.created
    },
    spec: {},
    status: { phase: row.phase, reason: row.reason ?? undefined }
  };
}
