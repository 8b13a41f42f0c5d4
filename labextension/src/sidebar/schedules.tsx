import { addIcon, closeIcon, runIcon } from '@jupyterlab/ui-components';
import { pauseIcon } from '../icons';
import * as React from 'react';

import type { ISchedule } from '../model/types';
import { useKubeflow, useSignal, useTrans } from '../ui/context';
import { Button, Fold, InlineConfirm, RowList } from '../ui/controls';
import { RelativeTime } from '../ui/time';
import { useMemory } from './remembered';
import { duration } from '../format';
import { ScheduleForm } from './scheduleform';

/** Runs that start by themselves. */
export function Schedules(): JSX.Element {
  const memory = useMemory();
  const trans = useTrans();
  const { schedules } = useKubeflow().resources;
  useSignal(schedules.changed);
  const [adding, setAdding] = React.useState(false);
  const count = schedules.items.length;
  const open = memory.isOpen('schedules', false) || adding;
  return (
    <Fold
      title={trans.__('Schedules')}
      level={3}
      open={open}
      count={count || null}
      onToggle={value => {
        setAdding(false);
        memory.fold('schedules', value);
      }}
      actions={
        <Button
          label={trans.__('New schedule')}
          icon={addIcon}
          iconOnly
          onClick={() => setAdding(true)}
        />
      }
    >
      {adding && <ScheduleForm onDone={() => setAdding(false)} />}
      {count ? (
        <RowList label={trans.__('Schedules')}>
          {schedules.items.map(schedule => (
            <ScheduleRow key={schedule.metadata.name} schedule={schedule} />
          ))}
        </RowList>
      ) : (
        !adding && (
          <p className="jk-Quiet">
            {trans.__('No schedules. A schedule starts a notebook by the clock.')}
          </p>
        )
      )}
    </Fold>
  );
}

function ScheduleRow(props: { schedule: ISchedule }): JSX.Element {
  const { schedule } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [confirming, setConfirming] = React.useState(false);
  const { name } = schedule.metadata;
  const title = schedule.spec.displayName || name;
  const enabled = schedule.spec.enabled !== false;
  const call = async (verb: string, method: 'POST' | 'DELETE', doing: string) => {
    try {
      const path = `recurringruns/${encodeURIComponent(name)}${verb}`;
      await kubeflow.request(path, { method, body: method === 'POST' ? {} : undefined });
      await kubeflow.resources.schedules.refresh();
    } catch (error) {
      kubeflow.fail(doing, error);
    }
  };
  if (confirming) {
    return (
      <li>
        <InlineConfirm
          question={trans.__('Delete the schedule “%1”? Its runs stay.', title)}
          verb={trans.__('Delete')}
          onConfirm={() => call('', 'DELETE', trans.__('Deleting %1', title))}
          onCancel={() => setConfirming(false)}
        />
      </li>
    );
  }
  return (
    <li className="jk-RunRow" data-schedule={name}>
      <button
        type="button"
        data-row=""
        className="jk-RowMain jk-mod-plain"
        title={schedule.status.reason || schedule.spec.path || schedule.spec.description || title}
        onClick={() => void kubeflow.openRuns(`schedule:${name}`)}
      >
        <span className={`jk-Dot jk-tone-${enabled ? 'good' : 'off'}`} />
        <span className="jk-RowMain-title" dir="auto">
          {title}
        </span>
        <span className="jk-RowMain-time">
          {!enabled
            ? trans.__('Paused')
            : schedule.status.nextTime && <RelativeTime time={schedule.status.nextTime} />}
        </span>
        <span className="jk-RowMain-note">
          {schedule.spec.cron ? (
            <code>{schedule.spec.cron}</code>
          ) : (
            schedule.spec.every && trans.__('Every %1', duration(Number(schedule.spec.every)))
          )}{' '}
          {!schedule.spec.place
            ? schedule.spec.timezone
            : schedule.spec.cron
              ? trans.__('UTC · Kubeflow Pipelines')
              : trans.__('· Kubeflow Pipelines')}
        </span>
      </button>
      <span className="jk-RowActions">
        <Button
          label={trans.__('Run %1 now', title)}
          icon={runIcon}
          iconOnly
          onClick={() => call(':run', 'POST', trans.__('Running %1', title))}
        />
        <Button
          label={enabled ? trans.__('Pause %1', title) : trans.__('Resume %1', title)}
          icon={enabled ? pauseIcon : runIcon}
          iconOnly
          onClick={() =>
            call(enabled ? ':pause' : ':resume', 'POST', trans.__('Changing %1', title))
          }
        />
        <Button
          label={trans.__('Delete %1', title)}
          icon={closeIcon}
          iconOnly
          onClick={() => setConfirming(true)}
        />
      </span>
    </li>
  );
}
