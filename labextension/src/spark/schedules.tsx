import { addIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { keyOf } from '../model/merge';
import { useMemory } from '../sidebar/remembered';
import { Row } from '../sidebar/row';
import { useKubeflow, useTrans } from '../ui/context';
import { Button, Fold, RowList } from '../ui/controls';
import { useEntries } from '../ui/entries';
import { useFound } from '../ui/resources';
import { SparkCommandIDs } from './commands';
import { SCHEDULED } from './model/app';
import type { IScheduled } from './model/types';

const KINDS = [SCHEDULED];

/** What stands where the state of something that runs would. */
export function ScheduleMark(props: { item: IScheduled }): JSX.Element {
  const trans = useTrans();
  const { phase, reason } = props.item.status;
  const [tone, word] =
    phase === 'FAILED'
      ? ['bad', reason || trans.__('Failed')]
      : phase === 'PAUSED'
        ? ['off', trans.__('Paused')]
        : ['good', trans.__('Scheduled')];
  return (
    <span className={`jk-Dot jk-tone-${tone}`} title={word}>
      <span className="jk-visuallyHidden">{word}</span>
    </span>
  );
}

/** Applications that start by the clock. */
export function Schedules(): JSX.Element | null {
  const kubeflow = useKubeflow();
  const { trans, sections } = kubeflow;
  const memory = useMemory();
  const section = sections.get('spark');
  const entries = useEntries(section);
  const keys = useFound(KINDS, ([list]) => list.items.map(keyOf));
  return (
    <Fold
      title={trans.__('Scheduled applications')}
      level={3}
      open={memory.isOpen('spark-schedules', false)}
      count={keys.length || null}
      onToggle={value => memory.fold('spark-schedules', value)}
      actions={
        <Button
          label={trans.__('Schedule a Spark application')}
          icon={addIcon}
          iconOnly
          onClick={() => kubeflow.execute(SparkCommandIDs.schedule)}
        />
      }
    >
      {keys.length ? (
        <RowList label={trans.__('Schedules of Spark applications')}>
          {keys.map(key => (
            <Row
              key={key}
              id={key}
              selected={false}
              selecting={false}
              onSelect={() => undefined}
              selection={() => [key]}
              entries={entries}
            />
          ))}
        </RowList>
      ) : (
        <p className="jk-Quiet">
          {trans.__('No schedules. A schedule submits an application by the clock.')}
        </p>
      )}
    </Fold>
  );
}
