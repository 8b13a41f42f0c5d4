import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IAsked } from '../../graph/outline';
import type { IPipeline, IProblem } from '../../model/types';
import { CodeForms, formsOf } from '../../ui/codeforms';
import { useFetched, useKubeflow } from '../../ui/context';
import type { IField } from '../../ui/form';
import { Form } from '../../ui/form';
import type { Fault, Typed } from './asked';
import { defaults, isChoice, read } from './asked';

const CACHE = ' cache';

function typeWord(type: string, trans: TranslationBundle): string {
  switch (type) {
    case 'STRING':
      return trans.__('text');
    case 'NUMBER_INTEGER':
      return trans.__('whole number');
    case 'NUMBER_DOUBLE':
      return trans.__('number');
    case 'BOOLEAN':
      return trans.__('true or false');
    case 'LIST':
      return trans.__('list, as JSON');
    case 'STRUCT':
      return trans.__('mapping, as JSON');
    case 'ARTIFACT':
      return trans.__('file or folder');
    default:
      return type;
  }
}

function faultWords(fault: Fault, trans: TranslationBundle): string {
  switch (fault) {
    case 'missing':
      return trans.__('It is required.');
    case 'integer':
      return trans.__('Give a whole number.');
    case 'number':
      return trans.__('Give a number.');
    case 'list':
      return trans.__('Give a list in JSON, for example [1, 2].');
    case 'mapping':
      return trans.__('Give a mapping in JSON, for example {"a": 1}.');
    case 'json':
      return trans.__('Give JSON.');
  }
}

function fieldOf(asked: IAsked, trans: TranslationBundle): IField {
  const kinds: Record<string, IField['kind']> = {
    NUMBER_INTEGER: 'number',
    NUMBER_DOUBLE: 'number',
    BOOLEAN: 'check',
    LIST: 'lines',
    STRUCT: 'lines'
  };
  const word = typeWord(asked.type, trans);
  const values = asked.literals.length
    ? asked.literals.map(each => String(each))
    : ['true', 'false'];
  const empty = asked.required || asked.default === null ? [''] : [];
  return {
    name: asked.name,
    label: asked.required ? trans.__('%1 (required)', asked.name) : asked.name,
    kind: isChoice(asked) ? 'choice' : (kinds[asked.type] ?? 'text'),
    choices: [...empty, ...values].map(value => [value, value || trans.__('not given')] as const),
    help: asked.type === 'BOOLEAN' ? undefined : word,
    placeholder: asked.required ? '' : asked.default === null ? trans.__('not given') : ''
  };
}

/** The parameters of a compiled pipeline, checked as they are typed; the same as code; one button. */
export function RunForm(props: {
  path: string;
  pipeline: IPipeline;
  asked: readonly IAsked[];
  onDone: () => void;
}): JSX.Element {
  const { path, pipeline, asked } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [typed, setTyped] = React.useState<Typed>(() => defaults(asked));
  const [touched, setTouched] = React.useState<ReadonlySet<string>>(new Set());
  const [cache, setCache] = React.useState(true);
  const { values, faults } = React.useMemo(() => read(asked, typed), [asked, typed]);
  const problems: Record<string, string> = {};
  for (const [name, fault] of Object.entries(faults)) {
    // What nobody has come to yet is no mistake.
    if (fault !== 'missing' || touched.has(name)) {
      problems[name] = faultWords(fault, trans);
    }
  }
  const missing = asked.filter(each => faults[each.name] === 'missing').map(each => each.name);
  const blocked = (pipeline.problems ?? []).find(each => each.severity === 'error');
  const wrong = Object.keys(faults).find(name => faults[name] !== 'missing');
  const disabled = blocked
    ? trans.__('It cannot run here: the problems are listed above.')
    : missing.length
      ? trans.__('Give a value for %1.', missing.join(', '))
      : wrong
        ? trans.__('Correct %1.', wrong)
        : null;
  const options = cache ? {} : { cache: false };
  const body = JSON.stringify({ path, parameters: values, options });
  const code = useFetched(wrong ? null : body, signal =>
    kubeflow.request<{ python: string; cli: string }>('notebooks:code', {
      method: 'POST',
      body: { path, parameters: values, options },
      signal
    })
  );
  const last = React.useRef<{ python: string; cli: string } | null>(null);
  last.current = code.value ?? last.current;
  const fields = asked.map(each => fieldOf(each, trans));
  const cacheField: IField = {
    name: CACHE,
    label: trans.__('Reuse results of earlier runs'),
    kind: 'check'
  };
  return (
    <Form
      label={trans.__('Run %1', pipeline.title || pipeline.name)}
      fields={[...fields, cacheField]}
      values={{ ...typed, [CACHE]: cache }}
      problems={problems}
      onChange={(name, value) => {
        if (name === CACHE) {
          setCache(value === true);
          return;
        }
        setTyped(old => ({ ...old, [name]: value }));
        setTouched(old => new Set(old).add(name));
      }}
      before={<Problems problems={pipeline.problems ?? []} />}
      disabled={disabled}
      code={
        last.current ? (
          <CodeForms
            label={trans.__('The same as code')}
            forms={formsOf([
              ['python', 'Python', last.current.python, true],
              ['cli', trans.__('Command'), last.current.cli]
            ])}
          />
        ) : null
      }
      submit={trans.__('Run')}
      onSubmit={async () => {
        const run = await kubeflow.runNotebook({ path, parameters: values, cache });
        await kubeflow.openRun(run.metadata.name);
      }}
      onCancel={props.onDone}
    />
  );
}

function Problems(props: { problems: readonly IProblem[] }): JSX.Element | null {
  const { trans } = useKubeflow();
  if (!props.problems.length) {
    return null;
  }
  return (
    <section className="jk-StepError" aria-label={trans.__('What cannot run here')}>
      <h3>{trans.__('What cannot run here')}</h3>
      <ul className="jk-Plain">
        {props.problems.map((each, at) => (
          <li key={at} dir="auto">
            {each.step && <code>{each.step}</code>} {each.message}
            {each.remedy && <span className="jk-Muted"> {each.remedy}</span>}
          </li>
        ))}
      </ul>
    </section>
  );
}
