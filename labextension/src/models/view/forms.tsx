import * as React from 'react';

import { useKubeflow } from '../../ui/context';
import type { IField } from '../../ui/form';
import { Form } from '../../ui/form';
import { ModelCommands, setAlias } from '../commands';
import { aliasWords, CHAMPION, reference } from '../model/model';
import type { IModel, IVersion } from '../model/types';

interface IFormProps {
  model: IModel;
  version: IVersion;
  onDone: () => void;
}

/** Which alias is to mean this version; says from where it moves. */
export function AliasForm(props: IFormProps): JSX.Element {
  const { model, version, onDone } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const aliases = model.status.aliases ?? {};
  const [alias, setText] = React.useState(
    version.aliases.includes(CHAMPION) ? 'challenger' : CHAMPION
  );
  const { problem, says } = aliasWords(alias.trim(), version.version, aliases, trans);
  const fields: IField[] = [
    { name: 'alias', label: trans.__('Alias'), kind: 'text', placeholder: CHAMPION, help: says }
  ];
  const { name } = model.metadata;
  return (
    <Form
      label={trans.__('Set alias')}
      fields={fields}
      values={{ alias }}
      onChange={(_, value) => setText(String(value))}
      problems={problem ? { alias: problem } : {}}
      code={`kf.registry.get(${JSON.stringify(reference(version))}).alias(${JSON.stringify(alias.trim())})`}
      submit={trans.__('Set')}
      disabled={alias.trim() ? problem : trans.__('Give the alias a name.')}
      onSubmit={async () => {
        await setAlias(kubeflow, name, alias.trim(), version.version);
        onDone();
      }}
      onCancel={onDone}
    />
  );
}

/** The model that gets the same files and facts as a version of its own. */
export function CopyForm(props: IFormProps): JSX.Element {
  const { version, onDone } = props;
  const kubeflow = useKubeflow();
  const { trans, resources } = kubeflow;
  const [values, setValues] = React.useState({ to: '', alias: '' });
  const known = resources.list('RegisteredModel').get(values.to);
  const fields: IField[] = [
    {
      name: 'to',
      label: trans.__('To model'),
      kind: 'text',
      placeholder: `${version.model}-prod`,
      help: !values.to
        ? trans.__('It is made if it is not there.')
        : known
          ? trans.__('It gets one more version.')
          : trans.__('It will be made.'),
      half: true
    },
    {
      name: 'alias',
      label: trans.__('Alias there'),
      kind: 'text',
      placeholder: trans.__('none'),
      half: true
    }
  ];
  const same = values.to.trim() === version.model;
  const wrong = aliasWords(values.alias.trim(), '', {}, trans).problem;
  const problems: Record<string, string> = {
    ...(same && { to: trans.__('That is the model it is in.') }),
    ...(wrong && { alias: wrong })
  };
  const text = JSON.stringify(reference(version));
  const alias = values.alias.trim();
  const more = alias ? `, alias=${JSON.stringify(alias)}` : '';
  return (
    <Form
      label={trans.__('Copy to another model')}
      fields={fields}
      values={values}
      onChange={(name, value) => setValues(old => ({ ...old, [name]: String(value) }))}
      problems={problems}
      code={`kf.registry.get(${text}).copy(${JSON.stringify(values.to.trim())}${more})`}
      submit={trans.__('Copy')}
      disabled={
        values.to.trim() ? (Object.values(problems)[0] ?? null) : trans.__('Name the model first.')
      }
      onSubmit={async () => {
        await kubeflow.execute(ModelCommands.copy, {
          name: version.model,
          version: version.version,
          to: values.to.trim(),
          ...(alias && { alias })
        });
        onDone();
      }}
      onCancel={onDone}
    />
  );
}
