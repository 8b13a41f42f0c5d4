import * as React from 'react';

import { announce } from '../../app/verbs';
import type { IFormProps } from '../../kinds';
import type { IDraft } from '../../model/draft';
import { draftProblems } from '../../model/draft';
import type { IWork } from '../../model/types';
import { useKubeflow } from '../../ui/context';
import { useDraft } from '../../ui/draft';
import { Choice, Form } from '../../ui/form';
import { useMachine } from '../../ui/machine';
import { APPLICATION, SCHEDULED, SESSION } from '../model/app';
import type { FormValues } from '../model/form';
import {
  formBody,
  formProblems,
  incomplete,
  isBatch,
  isScheduled,
  neverFits,
  pluralFor,
  SPARK_DEFAULTS,
  whatFits
} from '../model/form';
import { fieldsOf } from './fields';

/** A session or an application, asked for in the same words and order as in Python. */
export function SparkForm(props: IFormProps): JSX.Element {
  const kubeflow = useKubeflow();
  const { trans, resources } = kubeflow;
  const [values, setValues] = React.useState<FormValues>(() => started(props.given));
  React.useEffect(() => {
    if (props.given) {
      setValues(old => ({ ...old, ...(props.given as FormValues) }));
    }
  }, [props.given]);
  const change = (name: string, value: string | boolean) =>
    setValues(old => ({ ...old, [name]: value }));
  const machine = useMachine();
  const missing = incomplete(values, trans);
  const local = { ...neverFits(values, machine, trans), ...formProblems(values, trans) };
  const wrong = Object.keys(local).length > 0;
  const plural = pluralFor(values);
  const draft = useDraft<IDraft>(plural, missing === null && !wrong ? formBody(values) : null);
  const said = draftProblems(draft, 'whole', {
    ...ALIASES,
    what: values.what === 'code' ? 'source' : 'path'
  });
  const submit = async () => {
    const item = await kubeflow.request<IWork>(plural, { method: 'POST', body: formBody(values) });
    const kind = isScheduled(values) ? SCHEDULED : isBatch(values) ? APPLICATION : SESSION;
    await resources.list(kind).refresh();
    if (kind !== SCHEDULED) {
      announce(kubeflow, kind, item);
    }
    props.onDone();
  };
  const blocked = wrong ? trans.__('Mend what is marked first.') : null;
  const words = isScheduled(values)
    ? [trans.__('Schedule a Spark application'), trans.__('Create schedule')]
    : isBatch(values)
      ? [trans.__('Submit a Spark application'), trans.__('Submit')]
      : [trans.__('Start a Spark session'), trans.__('Start')];
  return (
    <Form
      label={words[0]}
      before={
        <Choice
          label={trans.__('What is started')}
          choices={[
            ['session', trans.__('Session')],
            ['file', trans.__('File')],
            ['code', trans.__('Code')]
          ]}
          value={String(values.what)}
          onChange={value => change('what', value)}
        />
      }
      fields={fieldsOf(values, machine, trans)}
      values={values}
      onChange={change}
      problems={{ ...said, ...local }}
      fits={blocked ? null : (said.whole ?? whatFits(values, machine, trans))}
      code={draft?.python}
      submit={words[1]}
      disabled={missing ?? blocked}
      onSubmit={submit}
      onCancel={props.onDone}
    />
  );
}

/** The keywords of Python, as the form calls their fields. */
const ALIASES = {
  driver_memory: 'driverMemory',
  main_class: 'mainClass',
  py_files: 'pyFiles',
  time_zone: 'timeZone'
};

function started(given: IFormProps['given']): FormValues {
  return {
    ...SPARK_DEFAULTS,
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC',
    ...(given as FormValues | undefined)
  };
}
