import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { announce } from '../app/verbs';
import type { IFormProps } from '../kinds';
import type { IDraft } from '../model/draft';
import { draftProblems } from '../model/draft';
import type { IMachine } from '../model/machine';
import { neverFits, roomWords, withoutGpu } from '../model/machine';
import type { Json } from '../model/types';
import { useKubeflow } from '../ui/context';
import { useDraft } from '../ui/draft';
import type { IField } from '../ui/form';
import { Choice, Form } from '../ui/form';
import { useMachine } from '../ui/machine';
import type { FormValues } from './model/form';
import {
  formBody,
  formProblems,
  incomplete,
  mostNodes,
  TRAIN_DEFAULTS,
  whatFits
} from './model/form';
import type { ITrainJob } from './model/types';

const FRAMEWORKS = ['torch', 'tensorflow', 'xgboost', 'jax', 'deepspeed', 'plain'];

/** What the server says about a job that was not started. */
interface IJobDraft extends IDraft {
  fits?: string | null;
}

/** The questions of `training.train`, in its order. */
function fields(values: FormValues, machine: IMachine | null, trans: TranslationBundle): IField[] {
  const code: IField[] =
    values.code === 'file'
      ? [
          {
            name: 'path',
            label: trans.__('Python file'),
            kind: 'text',
            placeholder: 'train.py',
            help: trans.__('Modules beside it travel with it.')
          },
          {
            name: 'function',
            label: trans.__('Function'),
            kind: 'text',
            placeholder: trans.__('the whole file'),
            help: trans.__('Called in each process with the arguments below.')
          }
        ]
      : [
          {
            name: 'source',
            label: trans.__('Code'),
            kind: 'code',
            placeholder:
              'import jupyter_ext as kf\n\nfor step in range(100):\n    kf.report(loss=1 / (step + 1), step=step)',
            help: trans.__('Runs in each process, on its own: it imports what it needs.')
          }
        ];
  return [
    ...code,
    {
      name: 'framework',
      label: trans.__('Framework'),
      kind: 'choice',
      choices: FRAMEWORKS.map(name => [name, name]),
      half: true
    },
    {
      name: 'name',
      label: trans.__('Name'),
      kind: 'text',
      placeholder: trans.__('made up'),
      half: true
    },
    { name: 'nodes', label: trans.__('Nodes'), kind: 'text', placeholder: '1', half: true },
    { name: 'procs', label: trans.__('Processes per node'), kind: 'number', half: true },
    {
      name: 'args',
      label: trans.__('Arguments'),
      kind: 'lines',
      placeholder: 'lr = 0.1\nepochs = 10'
    },
    ...moreFields(values, machine, trans)
  ];
}

function moreFields(
  values: FormValues,
  machine: IMachine | null,
  trans: TranslationBundle
): IField[] {
  const room = roomWords(machine, trans);
  return [
    {
      name: 'cpu',
      label: trans.__('CPU per node'),
      kind: 'text',
      unit: trans.__('cores'),
      help: room.cpu,
      half: true,
      more: true
    },
    {
      name: 'memory',
      label: trans.__('Memory per node'),
      kind: 'text',
      placeholder: '4Gi',
      help: room.memory,
      half: true,
      more: true
    },
    {
      name: 'gpu',
      label: trans.__('GPUs per node'),
      kind: 'number',
      help: room.gpu,
      off: withoutGpu(values, machine, trans),
      half: true,
      more: true
    },
    {
      name: 'restarts',
      label: trans.__('Restarts'),
      kind: 'number',
      placeholder: '0',
      half: true,
      more: true
    },
    {
      name: 'deadline',
      label: trans.__('Deadline'),
      kind: 'text',
      placeholder: '2h',
      half: true,
      more: true
    },
    {
      name: 'checkpoint',
      label: trans.__('Keep checkpoints'),
      kind: 'check',
      half: true,
      more: true
    },
    {
      name: 'register',
      label: trans.__('Register the model as'),
      kind: 'text',
      placeholder: trans.__('not registered'),
      help: trans.__('When it has succeeded. iris@champion gives it an alias too.'),
      more: true
    },
    {
      name: 'env',
      label: trans.__('Environment'),
      kind: 'lines',
      placeholder: 'NAME = value',
      more: true
    },
    {
      name: 'data',
      label: trans.__('Data'),
      kind: 'lines',
      placeholder: 'train = data/train.csv',
      help: trans.__('Files and folders that it reads, by name.'),
      more: true
    },
    {
      name: 'packages',
      label: trans.__('Packages'),
      kind: 'text',
      placeholder: 'torch, pandas',
      more: true
    }
  ];
}

/** A training job, asked for in the same words and order as in Python. */
export function TrainForm(props: IFormProps): JSX.Element {
  const kubeflow = useKubeflow();
  const { trans, resources } = kubeflow;
  const [values, setValues] = React.useState<FormValues>(() => ({
    ...TRAIN_DEFAULTS,
    ...(props.given as FormValues | undefined)
  }));
  const change = (name: string, value: string | boolean) =>
    setValues(old => ({ ...old, [name]: value }));
  const missing = incomplete(values, trans);
  const machine = useMachine();
  const local = {
    ...neverFits(values, mostNodes(values), machine, trans),
    ...formProblems(values, trans)
  };
  const ready = missing === null && !Object.keys(local).length;
  const draft = useDraft<IJobDraft>('trainjobs', ready ? formBody(values) : null);
  const said = draftProblems(draft);
  const problems = { ...said, ...local };
  const submit = async () => {
    const job = await kubeflow.request<ITrainJob>('trainjobs', {
      method: 'POST',
      body: formBody(values) as { [key: string]: Json }
    });
    // An older operator of a cluster takes it as one of its own kinds.
    await resources.list(job.kind).refresh();
    announce(kubeflow, job.kind, job);
    props.onDone();
  };
  const blocked = Object.keys(local).length ? trans.__('Mend what is marked first.') : null;
  const fits = draft?.fits ?? whatFits(values, machine, trans);
  return (
    <Form
      label={trans.__('New training job')}
      before={
        <Choice
          label={trans.__('What is trained')}
          choices={[
            ['source', trans.__('Code')],
            ['file', trans.__('A file')]
          ]}
          value={String(values.code)}
          onChange={value => change('code', value)}
        />
      }
      fields={fields(values, machine, trans)}
      values={values}
      onChange={change}
      problems={problems}
      fits={blocked ? null : (said.resources ?? fits)}
      code={draft?.python}
      submit={trans.__('Train')}
      disabled={missing ?? blocked}
      onSubmit={submit}
      onCancel={props.onDone}
    />
  );
}
