import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { announce } from '../app/verbs';
import type { IFormProps } from '../kinds';
import { KubeflowError } from '../model/errors';
import type { Json } from '../model/types';
import { useKubeflow } from '../ui/context';
import type { IField } from '../ui/form';
import { Form } from '../ui/form';
import type { FormProblems, FormValues } from './model/form';
import { formBody, formProblems, incomplete, TRAIN_DEFAULTS, whatFits } from './model/form';
import type { ITrainJob } from './model/types';

const FRAMEWORKS = ['torch', 'tensorflow', 'xgboost', 'jax', 'deepspeed', 'plain'];
const PAUSE = 300;

/** What the server says about a job that was not started. */
interface IDraft {
  problems?: { field?: string | null; message: string; hint?: string | null }[];
  fits?: string | null;
  python?: string;
}

/** The questions of `training.train`, in its order. */
function fields(values: FormValues, trans: TranslationBundle): IField[] {
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
    ...moreFields(trans)
  ];
}

function moreFields(trans: TranslationBundle): IField[] {
  return [
    {
      name: 'cpu',
      label: trans.__('CPU per node'),
      kind: 'text',
      unit: trans.__('cores'),
      half: true,
      more: true
    },
    {
      name: 'memory',
      label: trans.__('Memory per node'),
      kind: 'text',
      placeholder: '4Gi',
      half: true,
      more: true
    },
    { name: 'gpu', label: trans.__('GPUs per node'), kind: 'number', half: true, more: true },
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

/** Asks the server what it would refuse, while somebody types; an old answer never replaces a new one. */
function useDraft(values: FormValues, ready: boolean): IDraft | null {
  const kubeflow = useKubeflow();
  const [draft, setDraft] = React.useState<IDraft | null>(null);
  const body = JSON.stringify(formBody(values));
  React.useEffect(() => {
    if (!ready) {
      setDraft(null);
      return;
    }
    const abort = new AbortController();
    const timer = window.setTimeout(() => {
      kubeflow
        .request<IDraft>('trainjobs', {
          method: 'POST',
          body: { ...(JSON.parse(body) as object), dryRun: true },
          signal: abort.signal
        })
        .catch(error => refusal(error))
        .then(answer => !abort.signal.aborted && setDraft(answer));
    }, PAUSE);
    return () => {
      window.clearTimeout(timer);
      abort.abort();
    };
  }, [kubeflow, body, ready]);
  return draft;
}

function refusal(error: unknown): IDraft {
  const { message, hint, where, status } = KubeflowError.from(error);
  return status >= 400 && status < 500 && where.field
    ? { problems: [{ field: where.field, message, hint }] }
    : {};
}

function draftProblems(draft: IDraft | null): FormProblems {
  const found = (draft?.problems ?? []).map(({ field, message, hint }) => {
    const name = (field ?? '').replace(/^resources\.(\w+).*$/, '$1').split('.')[0];
    return [name, hint && !message.includes(hint) ? `${message} ${hint}` : message];
  });
  return Object.fromEntries(found) as FormProblems;
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
  const local = formProblems(values, trans);
  const draft = useDraft(values, missing === null && !Object.keys(local).length);
  const said = draftProblems(draft);
  const problems = { ...said, ...local };
  const submit = async () => {
    const job = await kubeflow.request<ITrainJob>('trainjobs', {
      method: 'POST',
      body: formBody(values) as { [key: string]: Json }
    });
    await resources.list('TrainJob').refresh();
    announce(kubeflow, 'TrainJob', job);
    props.onDone();
  };
  const blocked = Object.keys(local).length ? trans.__('Mend what is marked first.') : null;
  const fits = draft?.fits ?? whatFits(values, resources.status?.machine, trans);
  return (
    <Form
      label={trans.__('New training job')}
      before={<CodeChoice value={String(values.code)} onChange={value => change('code', value)} />}
      fields={fields(values, trans)}
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

function CodeChoice(props: { value: string; onChange: (value: string) => void }): JSX.Element {
  const { trans } = useKubeflow();
  const name = React.useId();
  return (
    <fieldset className="jk-Choice">
      <legend className="jk-visuallyHidden">{trans.__('What is trained')}</legend>
      {[
        ['source', trans.__('Code')],
        ['file', trans.__('A file')]
      ].map(([value, label]) => (
        <label key={value}>
          <input
            type="radio"
            name={name}
            checked={props.value === value}
            onChange={() => props.onChange(value)}
          />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}
