import * as React from 'react';

import type { IPipeline } from '../../model/types';
import { useFetched, useKubeflow, useTrans } from '../../ui/context';
import { Button, CopyButton } from '../../ui/controls';
import type { NotebookController } from '../controller';
import type { IField } from '../model/parameters';
import { changedValues, fields } from '../model/parameters';
import { whyNotRun } from './run';

/** The form of the notebook's parameters, with the code that does the same. */
export function ParametersPane(props: {
  controller: NotebookController;
  pipeline: IPipeline;
  onRefusal: (error: unknown) => void;
}): JSX.Element {
  const { controller, pipeline, onRefusal } = props;
  const { barState } = controller;
  const trans = useTrans();
  const list = fields(pipeline.parameters ?? [], barState.drafts, trans);
  const values = changedValues(list, trans);
  const wrong = list.filter(field => field.problem).length;
  const disabled = wrong
    ? trans._n('One value needs to be mended.', '%1 values need to be mended.', wrong, wrong)
    : whyNotRun(controller, trans);
  const submit = async () => {
    if (!disabled) {
      onRefusal(null);
      await controller.run().catch(onRefusal);
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === 'Enter' && (event.metaKey || event.ctrlKey)) {
      event.preventDefault();
      void submit();
    } else if (event.key === 'Escape') {
      barState.set({ pane: null });
    } else {
      return;
    }
    event.stopPropagation();
  };
  return (
    <div
      className="jk-Bar-pane"
      role="region"
      aria-label={trans.__('Parameters of the next run')}
      onKeyDown={onKeyDown}
    >
      <div className="jk-Fields">
        {list.map(field => (
          <ParameterField key={field.parameter.name} field={field} controller={controller} />
        ))}
      </div>
      <Snippet path={controller.source.path} values={values} />
      <div className="jk-Bar-actions">
        <Button label={trans.__('Run')} kind="primary" disabled={disabled} onClick={submit} />
        <Button
          label={trans.__('Back to the notebook’s values')}
          disabled={list.some(field => field.changed) ? null : trans.__('Nothing was changed.')}
          onClick={() => barState.set({ drafts: {} })}
        />
        <kbd>{trans.__('⌘/Ctrl Enter runs')}</kbd>
      </div>
    </div>
  );
}

function ParameterField(props: { field: IField; controller: NotebookController }): JSX.Element {
  const { barState } = props.controller;
  const { parameter, text, problem, changed } = props.field;
  const id = React.useId();
  const write = (value: string) => {
    barState.set({ drafts: { ...barState.drafts, [parameter.name]: value } });
  };
  const described = problem ? `${id}-problem` : undefined;
  return (
    <div className={changed ? 'jk-StepField jk-mod-changed' : 'jk-StepField'}>
      <label htmlFor={id}>
        <code>{parameter.name}</code> <span className="jk-StepField-unit">{parameter.type}</span>
      </label>
      {parameter.type === 'bool' ? (
        <input
          id={id}
          type="checkbox"
          checked={/^true$/i.test(text.trim())}
          onChange={event => write(event.target.checked ? 'True' : 'False')}
        />
      ) : (
        <input
          id={id}
          type="text"
          spellCheck={false}
          autoComplete="off"
          inputMode={parameter.type === 'int' ? 'numeric' : undefined}
          value={text}
          aria-invalid={problem ? true : undefined}
          aria-describedby={described}
          onChange={event => write(event.target.value)}
        />
      )}
      {problem && (
        <span className="jk-StepField-problem" id={described}>
          {problem}
        </span>
      )}
    </div>
  );
}

interface ISnippets {
  readonly python: string;
  readonly cli: string;
  readonly magic: string;
}

/** The same run as code, as the server writes it; the last text stays while a value is wrong. */
function Snippet(props: { path: string; values: object | null }): JSX.Element | null {
  const trans = useTrans();
  const kubeflow = useKubeflow();
  const [shown, setShown] = React.useState<ISnippets | null>(null);
  const key = props.values ? JSON.stringify([props.path, props.values]) : null;
  const { value } = useFetched(key, signal =>
    kubeflow.request<ISnippets>('notebooks:code', {
      method: 'POST',
      body: { path: props.path, parameters: props.values ?? {}, options: {} },
      signal
    })
  );
  React.useEffect(() => {
    if (value) {
      setShown(value);
    }
  }, [value]);
  if (!shown) {
    return null;
  }
  return (
    <div className="jk-Snippet">
      <pre aria-label={trans.__('The same as Python')} tabIndex={0}>
        {shown.python}
      </pre>
      <CopyButton text={shown.python} label={trans.__('Copy as code')} />
    </div>
  );
}
