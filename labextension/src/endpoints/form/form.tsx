import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { announce } from '../../app/verbs';
import type { IFormProps } from '../../kinds';
import { draftProblems } from '../../model/draft';
import type { IMachine } from '../../model/machine';
import { neverFits, roomWords, withoutGpu } from '../../model/machine';
import type { Json } from '../../model/types';
import { useKubeflow } from '../../ui/context';
import { useDraft } from '../../ui/draft';
import type { IField } from '../../ui/form';
import { Form } from '../../ui/form';
import { useMachine } from '../../ui/machine';
import { useFound } from '../../ui/resources';
import { ENDPOINT, PLURAL } from '../commands';
import type { FormValues } from '../model/form';
import {
  endpointName,
  formBody,
  formProblems,
  incomplete,
  SERVE_DEFAULTS,
  whatFits
} from '../model/form';
import type { IEndpoint, IEndpointDraft } from '../model/types';
import { CodeForms, formsOf } from '../../ui/codeforms';
import type { IModels } from './models';
import { useModels } from './models';

/** The questions of `serving.serve`, in its order. */
function fields(
  values: FormValues,
  models: IModels,
  exists: boolean,
  machine: IMachine | null,
  trans: TranslationBundle
): IField[] {
  const beside = exists && values.place === 'beside';
  const known = models.names.includes(String(values.model));
  const names = known || !values.model ? models.names : [String(values.model), ...models.names];
  return [
    {
      name: 'model',
      label: trans.__('Model'),
      kind: 'choice',
      choices: [
        ['', names.length ? trans.__('choose…') : trans.__('none registered yet')],
        ...names.map((name): [string, string] => [name, name])
      ],
      help: names.length
        ? undefined
        : trans.__('Register one first: kf.registry.register(model, "name").')
    },
    {
      name: 'version',
      label: trans.__('Version'),
      kind: 'choice',
      choices: versionChoices(models, String(values.version ?? ''), trans),
      half: true
    },
    {
      name: 'endpoint',
      label: trans.__('Endpoint'),
      kind: 'text',
      placeholder: endpointName(String(values.model ?? '')),
      half: true
    },
    ...(exists ? placeFields(beside, trans) : []),
    {
      name: 'replicas',
      label: trans.__('Replicas'),
      kind: 'text',
      placeholder: '1',
      help: trans.__('0:3 sleeps when idle and grows to 3.'),
      half: true
    },
    {
      name: 'log',
      label: trans.__('Log requests'),
      kind: 'choice',
      choices: [
        ['', trans.__('not at all')],
        ['all', trans.__('all of them')],
        ['some', trans.__('one of ten')],
        ['heads', trans.__('all, without bodies')]
      ],
      half: true
    },
    ...moreFields(values, models, machine, trans)
  ];
}

function versionChoices(
  models: IModels,
  chosen: string,
  trans: TranslationBundle
): [string, string][] {
  const found: [string, string][] = [
    ['', trans.__('the newest')],
    ...models.aliases.map(([alias, version]): [string, string] => [
      `@${alias}`,
      `@${alias} (${version})`
    ]),
    ...models.versions.map(({ version }): [string, string] => [version, version])
  ];
  return found.some(([value]) => value === chosen) ? found : [...found, [chosen, chosen]];
}

function placeFields(beside: boolean, trans: TranslationBundle): IField[] {
  const place: IField = {
    name: 'place',
    label: trans.__('This endpoint serves already'),
    kind: 'choice',
    choices: [
      ['replace', trans.__('replace the stable variant when this is ready')],
      ['beside', trans.__('put this beside it')]
    ]
  };
  return beside
    ? [
        place,
        {
          name: 'percent',
          label: trans.__('Share of traffic'),
          kind: 'number',
          unit: '%',
          help: trans.__('0: none, only what is sent to it by name.'),
          half: true
        },
        {
          name: 'variant',
          label: trans.__('Name of the variant'),
          kind: 'text',
          placeholder: trans.__('by its version'),
          half: true
        }
      ]
    : [place];
}

function moreFields(
  values: FormValues,
  models: IModels,
  machine: IMachine | null,
  trans: TranslationBundle
): IField[] {
  const room = roomWords(machine, trans);
  const half = { half: true, more: true };
  return [
    ...(models.danger
      ? [
          {
            name: 'trust',
            label: trans.__('I trust this model'),
            kind: 'check',
            help: models.danger
          } satisfies IField
        ]
      : []),
    {
      name: 'cpu',
      label: trans.__('CPU'),
      kind: 'text',
      unit: trans.__('cores'),
      help: room.cpu,
      ...half
    },
    {
      name: 'memory',
      label: trans.__('Memory'),
      kind: 'text',
      placeholder: '1Gi',
      help: room.memory,
      ...half
    },
    {
      name: 'gpu',
      label: trans.__('GPUs'),
      kind: 'number',
      help: room.gpu,
      off: withoutGpu(values, machine, trans),
      ...half
    },
    {
      name: 'idle',
      label: trans.__('Sleep when idle for'),
      kind: 'text',
      placeholder: trans.__('never'),
      ...half
    },
    { name: 'timeout', label: trans.__('Timeout'), kind: 'text', placeholder: '60', ...half },
    {
      name: 'sticky',
      label: trans.__('Sticky by'),
      kind: 'text',
      placeholder: 'header:x-user',
      ...half
    },
    {
      name: 'rules',
      label: trans.__('Rules'),
      kind: 'lines',
      placeholder: 'roll back if errors > 2 % over 5 minutes',
      help: trans.__('One a line.'),
      more: true
    },
    {
      name: 'env',
      label: trans.__('Environment'),
      kind: 'lines',
      placeholder: 'NAME = value',
      more: true
    },
    { name: 'grpc', label: trans.__('gRPC too'), kind: 'check', ...half },
    { name: 'explain', label: trans.__('Explanations'), kind: 'check', ...half }
  ];
}

/** A model served, asked for in the same words and order as in Python. */
export function ServeForm(props: IFormProps): JSX.Element {
  const kubeflow = useKubeflow();
  const { trans, resources } = kubeflow;
  const [values, setValues] = React.useState<FormValues>(() => ({
    ...SERVE_DEFAULTS,
    ...(props.given as FormValues | undefined)
  }));
  const endpoints = useFound([ENDPOINT], ([list]) => list.items.map(item => item.metadata.name));
  const models = useModels(String(values.model ?? ''), String(values.version ?? ''));
  const name = String(values.endpoint || endpointName(String(values.model ?? '')));
  const exists = endpoints.includes(name);
  // What was said of a place beside another counts only where there is another.
  const meant = exists ? values : { ...values, place: 'replace', variant: '' };
  const change = (field: string, value: string | boolean) =>
    setValues(old => ({
      ...old,
      [field]: value,
      ...(field === 'model' && { version: '', trust: false })
    }));
  const missing = incomplete(meant, trans);
  const machine = useMachine();
  const local = { ...neverFits(meant, 1, machine, trans), ...formProblems(meant, trans) };
  const blocked = Object.keys(local).length ? trans.__('Mend what is marked first.') : null;
  const ready = missing === null && !blocked;
  const draft = useDraft<IEndpointDraft>(PLURAL, ready ? formBody(meant) : null, 'model');
  const said = draftProblems(draft, 'model');
  const submit = async () => {
    const made = await kubeflow.request<IEndpoint>(PLURAL, {
      method: 'POST',
      body: formBody(meant) as { [key: string]: Json }
    });
    await resources.list(ENDPOINT).refresh();
    announce(kubeflow, ENDPOINT, made);
    props.onDone();
  };
  const told = typeof draft?.fits === 'string' ? draft.fits : null;
  const fits = told ?? whatFits(meant, machine, trans);
  return (
    <Form
      label={trans.__('Serve a model')}
      fields={fields(meant, models, exists, machine, trans)}
      values={meant}
      onChange={change}
      problems={{ ...said, ...local }}
      fits={blocked ? null : (said.resources ?? fits)}
      code={draft?.python && <DraftCode draft={draft} />}
      submit={exists ? trans.__('Serve there') : trans.__('Serve')}
      disabled={missing ?? blocked}
      onSubmit={submit}
      onCancel={props.onDone}
    />
  );
}

function DraftCode(props: { draft: IEndpointDraft }): JSX.Element {
  const { trans } = useKubeflow();
  const { draft } = props;
  return (
    <CodeForms
      label={trans.__('The same as code')}
      forms={formsOf([
        ['python', 'Python', draft.python, true],
        ['magic', trans.__('Magic'), draft.magic],
        ['cli', trans.__('Command'), draft.cli],
        ['yaml', 'YAML', draft.yaml]
      ])}
    />
  );
}
