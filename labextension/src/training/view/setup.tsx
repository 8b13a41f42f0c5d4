import * as React from 'react';

import { duration } from '../../format';
import { AsCode } from '../../ui/codeforms';
import { useKubeflow } from '../../ui/context';
import { Facts } from '../../ui/facts';
import { annotation, argumentsOf, framework, nodes, procs } from '../model/job';
import type { ITrainJob } from '../model/types';

/** What was asked for, and the same as code. */
export function Setup(props: { job: ITrainJob }): JSX.Element {
  const { job } = props;
  const { trans } = useKubeflow();
  const env = job.spec.trainer?.env ?? [];
  const given = Object.entries(argumentsOf(job));
  return (
    <div className="jk-Summary">
      <section aria-label={trans.__('Asked for')}>
        <h2 className="jk-SmallTitle">{trans.__('Asked for')}</h2>
        <Facts rows={asked(job, trans)} />
      </section>
      {given.length > 0 && (
        <section aria-label={trans.__('Arguments')}>
          <h2 className="jk-SmallTitle">{trans.__('Arguments')}</h2>
          <Facts rows={given.map(([name, value]) => [name, JSON.stringify(value)])} code />
        </section>
      )}
      {env.length > 0 && (
        <section aria-label={trans.__('Environment')}>
          <h2 className="jk-SmallTitle">{trans.__('Environment')}</h2>
          <Facts rows={env.map(({ name, value }) => [name, value ?? ''])} code />
        </section>
      )}
      <AsCode item={job} label={trans.__('This job as code')} />
    </div>
  );
}

function asked(job: ITrainJob, trans: ReturnType<typeof useKubeflow>['trans']) {
  const { trainer, activeDeadlineSeconds: deadline } = job.spec;
  const per = { ...trainer?.resourcesPerNode?.limits, ...trainer?.resourcesPerNode?.requests };
  const rows: [string, string][] = [
    [trans.__('Framework'), framework(job)],
    [trans.__('Nodes'), nodes(job)],
    [trans.__('Processes per node'), String(procs(job))],
    ...Object.entries(per).map(([name, value]): [string, string] => [
      trans.__('%1 per node', name),
      String(value)
    ])
  ];
  const restarts = annotation(job, 'restarts');
  const checkpoint = annotation(job, 'checkpoint');
  if (restarts) {
    rows.push([trans.__('Restarts'), restarts]);
  }
  if (deadline) {
    rows.push([trans.__('Deadline'), duration(deadline)]);
  }
  if (checkpoint) {
    rows.push([trans.__('Checkpoints'), checkpoint]);
  }
  if (trainer?.command) {
    rows.push([
      trans.__('Command'),
      [...trainer.command, ...(trainer.args ?? [])].join(' ').slice(0, 300)
    ]);
  }
  return rows;
}
