import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IFormProps } from '../kinds';
import { useKubeflow } from '../ui/context';
import { useDraft } from '../ui/draft';
import type { IField } from '../ui/form';
import { Form } from '../ui/form';
import type { IFrom, IRegisterDraft, RegisterValues } from './model/form';
import {
  draftProblems,
  draftWords,
  FORMATS,
  incomplete,
  nameOf,
  registerBody,
  REGISTER_DEFAULTS,
  registerProblems
} from './model/form';
import type { IModel } from './model/types';
import { MODEL } from './model/types';

function fields(
  from: IFrom | null,
  draft: IRegisterDraft | null,
  trans: TranslationBundle
): IField[] {
  const file: IField[] = from
    ? []
    : [
        {
          name: 'path',
          label: trans.__('File or folder'),
          kind: 'text',
          placeholder: 'models/iris.pkl',
          help: trans.__('It is copied: the file may change afterwards.')
        }
      ];
  return [
    ...file,
    { name: 'name', label: trans.__('Model'), kind: 'text', placeholder: 'iris', half: true },
    {
      name: 'version',
      label: trans.__('Version'),
      kind: 'text',
      placeholder: draft?.version ?? trans.__('the next number'),
      half: true
    },
    {
      name: 'alias',
      label: trans.__('Alias'),
      kind: 'text',
      placeholder: trans.__('none'),
      help: trans.__('A name that moves, such as champion.'),
      half: true
    },
    {
      name: 'format',
      label: trans.__('Format'),
      kind: 'choice',
      choices: [
        ['', draft?.format ? trans.__('%1 (found)', draft.format) : trans.__('recognised')],
        ...FORMATS.map(name => [name, name] as const)
      ],
      half: true
    },
    {
      name: 'metrics',
      label: trans.__('Metrics'),
      kind: 'lines',
      placeholder: 'accuracy = 0.97\nloss = 0.08'
    },
    {
      name: 'description',
      label: trans.__('Description'),
      kind: 'text',
      more: true
    },
    {
      name: 'parameters',
      label: trans.__('Parameters'),
      kind: 'lines',
      placeholder: 'lr = 0.1',
      more: true
    }
  ];
}

function begin(given: IFormProps['given']): RegisterValues {
  const texts = Object.entries(given ?? {}).filter(([, value]) => typeof value === 'string');
  const values = { ...REGISTER_DEFAULTS, ...(Object.fromEntries(texts) as RegisterValues) };
  const name = values.name || nameOf(String(values.path));
  const metrics = Object.entries((given?.metrics ?? {}) as Record<string, number>)
    .map(([metric, value]) => `${metric} = ${value}`)
    .join('\n');
  return { ...values, name, ...(metrics && { metrics }) };
}

/** Registers a file, a folder, or what a run left, as a version of a model. */
export function RegisterForm(props: IFormProps): JSX.Element {
  const kubeflow = useKubeflow();
  const { trans, resources } = kubeflow;
  const given = JSON.stringify(props.given ?? null);
  const from = (props.given?.from ?? null) as IFrom | null;
  const [values, setValues] = React.useState(() => begin(props.given));
  const [named, setNamed] = React.useState(Boolean(props.given?.name));
  React.useEffect(() => {
    // The form is open already, and somebody asks for another file.
    setValues(begin(JSON.parse(given) as IFormProps['given']));
  }, [given]);
  const change = (name: string, value: string | boolean) => {
    setNamed(old => old || name === 'name');
    setValues(old => ({
      ...old,
      [name]: value,
      // The name follows the file until somebody gives another.
      ...(name === 'path' && !named && { name: nameOf(String(value)) })
    }));
  };
  const missing = incomplete(values, from, trans);
  const local = registerProblems(values, trans);
  const body = registerBody(values, from);
  const ready = missing === null && !Object.keys(local).length;
  const draft = useDraft<IRegisterDraft>('registeredmodels', ready ? body : null, 'path');
  const problems = { ...draftProblems(draft), ...local };
  const submit = async () => {
    const model = await kubeflow.request<IModel>('registeredmodels', { method: 'POST', body });
    const { name } = model.metadata;
    await resources
      .list(MODEL)
      .refresh()
      .catch(() => undefined);
    props.onDone();
    const version = model.status.latest?.version;
    await kubeflow.open(MODEL, name, version ? { version } : undefined);
  };
  const wrong = Object.values(problems)[0];
  return (
    <Form
      label={trans.__('Register model')}
      before={from && <Source from={from} />}
      fields={fields(from, draft, trans)}
      values={values}
      onChange={change}
      problems={problems}
      fits={wrong ? null : draftWords(draft, trans)}
      code={draft?.python}
      submit={trans.__('Register')}
      disabled={missing ?? (wrong ? trans.__('Mend what is marked first.') : null)}
      onSubmit={submit}
      onCancel={props.onDone}
    />
  );
}

function Source(props: { from: IFrom }): JSX.Element {
  const { kind, name, step, value } = props.from;
  const { trans } = useKubeflow();
  const what = value ? `${value} · ${step ?? ''}` : kind;
  return (
    <p className="jk-Register-from" dir="auto">
      <code>{what.replace(/ · $/, '')}</code> <span>{trans.__('of %1', name)}</span>
    </p>
  );
}
