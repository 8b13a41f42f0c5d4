import * as React from 'react';

import type { ICode } from '../model/code';
import { codeOf } from '../model/code';
import { pluralOf } from '../model/kinds';
import type { IWork } from '../model/types';
import { useFetched, useKubeflow, useTrans } from './context';
import { CopyButton, ErrorLine, TabPanel, Tabs } from './controls';
import { Highlighted } from './highlight';

export interface ICodeForm {
  readonly id: string;
  readonly label: string;
  readonly text: string;
  readonly python?: boolean;
}

/** The same in several languages: one at a time, with a way to take it along. */
export function CodeForms(props: {
  forms: readonly ICodeForm[];
  label: string;
}): JSX.Element | null {
  const trans = useTrans();
  const id = React.useId();
  const [wanted, setWanted] = React.useState('');
  const shown = props.forms.find(form => form.id === wanted) ?? props.forms[0];
  if (!shown) {
    return null;
  }
  return (
    <div className="jk-CodeForms" role="group" aria-label={props.label}>
      <Tabs
        id={id}
        label={trans.__('Form of the code')}
        tabs={props.forms}
        selected={shown.id}
        onSelect={setWanted}
      />
      <TabPanel id={id} tab={shown.id} className="jk-Code jk-mod-tall">
        {shown.python ? <Highlighted code={shown.text} /> : <pre tabIndex={0}>{shown.text}</pre>}
        <CopyButton text={shown.text} label={trans.__('Copy code')} />
      </TabPanel>
    </div>
  );
}

/** Only those that are there. */
export function formsOf(
  named: readonly (readonly [
    id: string,
    label: string,
    text: string | null | undefined,
    python?: boolean
  ])[]
): ICodeForm[] {
  return named.flatMap(([id, label, text, python]) => (text ? [{ id, label, text, python }] : []));
}

/** The same as Python, magic, command and YAML, as far as the server gave them, and why there is no YAML. */
export function ResourceCode(props: { code: ICode; label: string }): JSX.Element {
  const { python, magic, cli, yaml, refused } = props.code;
  const trans = useTrans();
  return (
    <>
      {refused && <p className="jk-Muted">{refused}</p>}
      <CodeForms
        label={props.label}
        forms={formsOf([
          ['python', 'Python', python, true],
          ['magic', trans.__('Magic'), magic],
          ['cli', trans.__('Command'), cli],
          ['yaml', 'YAML', yaml]
        ])}
      />
    </>
  );
}

/** A part of a view: the resource as code, asked for when it is looked at. */
export function AsCode(props: { item: IWork; label: string }): JSX.Element {
  const { kind, metadata } = props.item;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { value, error, reload } = useFetched(metadata.uid, signal =>
    kubeflow.request<unknown>(`${pluralOf(kind)}/${encodeURIComponent(metadata.name)}:code`, {
      method: 'POST',
      body: {},
      signal
    })
  );
  return (
    <section aria-label={trans.__('As code')}>
      <h2 className="jk-SmallTitle">{trans.__('As code')}</h2>
      {error ? <ErrorLine error={error} onRetry={reload} /> : null}
      {value !== null && <ResourceCode code={codeOf(value)} label={props.label} />}
    </section>
  );
}
