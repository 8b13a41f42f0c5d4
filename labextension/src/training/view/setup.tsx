import * as React from 'react';

import { duration } from '../../format';
import { useFetched, useKubeflow } from '../../ui/context';
import { CopyButton, ErrorLine, Tabs } from '../../ui/controls';
import { Highlighted } from '../../ui/highlight';
import type { IJobCode } from '../commands';
import { readCode } from '../commands';
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
        <Pairs rows={asked(job, trans)} />
      </section>
      {given.length > 0 && (
        <section aria-label={trans.__('Arguments')}>
          <h2 className="jk-SmallTitle">{trans.__('Arguments')}</h2>
          <Pairs rows={given.map(([name, value]) => [name, JSON.stringify(value)])} code />
        </section>
      )}
      {env.length > 0 && (
        <section aria-label={trans.__('Environment')}>
          <h2 className="jk-SmallTitle">{trans.__('Environment')}</h2>
          <Pairs rows={env.map(({ name, value }) => [name, value ?? ''])} code />
        </section>
      )}
      <Code job={job} />
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

function Pairs(props: { rows: [string, string][]; code?: boolean }): JSX.Element {
  return (
    <dl className={props.code ? 'jk-Facts jk-mod-code' : 'jk-Facts'}>
      {props.rows.map(([name, value]) => (
        <React.Fragment key={name}>
          <dt dir="auto">{name}</dt>
          <dd dir="auto">{value}</dd>
        </React.Fragment>
      ))}
    </dl>
  );
}

function Code(props: { job: ITrainJob }): JSX.Element {
  const { job } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const id = React.useId();
  const [form, setForm] = React.useState<keyof IJobCode>('python');
  const { value, error, reload } = useFetched(job.metadata.uid, () =>
    readCode(kubeflow, job.kind, job.metadata.name)
  );
  const labels: [keyof IJobCode, string][] = [
    ['python', 'Python'],
    ['magic', trans.__('Magic')],
    ['cli', trans.__('Command')],
    ['yaml', 'YAML']
  ];
  const tabs = labels.filter(([key]) => value?.[key]).map(([key, label]) => ({ id: key, label }));
  const text = value?.[form] || value?.python || '';
  return (
    <section aria-label={trans.__('As code')}>
      <h2 className="jk-SmallTitle">{trans.__('As code')}</h2>
      {error ? <ErrorLine error={error} onRetry={reload} /> : null}
      {value?.refused && <p className="jk-Muted">{value.refused}</p>}
      {tabs.length > 0 && (
        <>
          <Tabs
            id={id}
            label={trans.__('Form of the code')}
            tabs={tabs}
            selected={form}
            onSelect={setForm}
          />
          <div
            role="tabpanel"
            id={`${id}-panel`}
            aria-labelledby={`${id}-${form}`}
            className="jk-Code jk-mod-tall"
          >
            {form === 'python' ? <Highlighted code={text} /> : <pre tabIndex={0}>{text}</pre>}
            <CopyButton text={text} label={trans.__('Copy code')} />
          </div>
        </>
      )}
    </section>
  );
}
