import * as React from 'react';

import { KubeflowError } from '../../model/errors';
import { useKubeflow } from '../../ui/context';
import { Button, ErrorLine } from '../../ui/controls';
import { Markdown } from '../../ui/markdown';
import { ask } from '../commands';
import { cardText } from '../model/card';
import type { ICard, IModel } from '../model/types';
import { useAnswer } from './detail';

/** What people wrote of the model and what is known of it; the first part can be edited. */
export function Card(props: { model: IModel }): JSX.Element {
  const { model } = props;
  const { trans } = useKubeflow();
  const { value, error, reload } = useAnswer<ICard>(model, '', 'card');
  const [draft, setDraft] = React.useState<string | null>(null);
  if (error) {
    return <ErrorLine error={error} onRetry={reload} />;
  }
  if (!value) {
    return <p className="jk-Quiet">{trans.__('Loading…')}</p>;
  }
  return (
    <div className="jk-Summary jk-Card">
      {draft === null ? (
        <>
          <div className="jk-Card-bar">
            <Button
              label={value.readme ? trans.__('Edit') : trans.__('Write about it')}
              onClick={() => setDraft(value.readme)}
            />
          </div>
          <Markdown text={cardText(value.card, model.metadata.name)} />
        </>
      ) : (
        <Editor
          model={model}
          text={draft}
          onText={setDraft}
          changed={draft !== value.readme}
          onDone={saved => {
            setDraft(null);
            if (saved) {
              reload();
            }
          }}
        />
      )}
    </div>
  );
}

function Editor(props: {
  model: IModel;
  text: string;
  onText: (text: string) => void;
  changed: boolean;
  onDone: (saved: boolean) => void;
}): JSX.Element {
  const { model, text } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [failure, setFailure] = React.useState<KubeflowError | null>(null);
  const id = React.useId();
  const save = async () => {
    setFailure(null);
    try {
      await ask(kubeflow, model.metadata.name, 'card', { readme: text });
      props.onDone(true);
    } catch (error) {
      setFailure(KubeflowError.from(error));
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      void save();
    } else if (event.key === 'Escape' && !props.changed) {
      props.onDone(false);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className="jk-Card-editor" onKeyDown={onKeyDown}>
      <label htmlFor={id}>{trans.__('About this model, in Markdown')}</label>
      <textarea
        id={id}
        dir="auto"
        rows={12}
        autoFocus
        value={text}
        placeholder={trans.__('What it is for, what it was trained on, where it fails.')}
        onChange={event => props.onText(event.target.value)}
      />
      {failure && <ErrorLine error={failure} />}
      <div className="jk-Form-buttons">
        <Button
          label={trans.__('Save')}
          kind="primary"
          title={trans.__('Ctrl-Enter')}
          onClick={save}
        />
        <Button label={trans.__('Cancel')} onClick={() => props.onDone(false)} />
      </div>
      {text.trim() && (
        <section aria-label={trans.__('Preview')}>
          <h3 className="jk-SmallTitle">{trans.__('Preview')}</h3>
          <Markdown text={cardText(text, '')} />
        </section>
      )}
    </div>
  );
}
