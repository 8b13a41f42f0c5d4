import * as React from 'react';

import type { IFormProps } from '../../kinds';
import type { IWork } from '../../model/types';
import type { IKubeflow } from '../../tokens';
import { useFetched, useKubeflow } from '../../ui/context';
import { Button, CopyButton, ErrorLine } from '../../ui/controls';
import { useOwnFocus } from '../../ui/focus';
import { EXPERIMENT } from '../commands';
import type { IAlgorithmInfo } from '../model/algorithms';
import { ALGORITHMS, algorithmTitle, goodFor } from '../model/algorithms';
import type { IDraft, IDraftProblems } from '../model/draft';
import { bodyOf, directionOf, isNotebook, metricsIn, problemsOf, pythonOf } from '../model/draft';
import { Check, Choice, Text } from './fields';
import { SpaceRows } from './rows';
import type { ISource, ISources } from './sources';
import { bodyText, runDefinition, tuneInKernel } from './sources';
import type { Change, IFormState } from './state';
import { useDraft } from './state';

/** The form of a new experiment, for the panel; it knows the notebooks of this page. */
export function experimentForm(sources: ISources): React.ComponentType<IFormProps> {
  return function Form(props: IFormProps): JSX.Element {
    return <ExperimentForm {...props} sources={sources} />;
  };
}

function ExperimentForm(props: IFormProps & { sources: ISources }): JSX.Element {
  const { sources, onDone } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const form = useDraft(props);
  const { draft, change, source } = form;
  const problems = problemsOf(draft, trans);
  const frame = useOwnFocus<HTMLFormElement>();
  const [refusal, setRefusal] = React.useState<unknown>(null);
  const wrong = problems.count
    ? trans._n('One field needs to be mended.', '%1 fields need to be mended.', problems.count)
    : null;
  const submit = async (first?: () => Promise<unknown>) => {
    if (wrong) {
      return;
    }
    setRefusal(null);
    try {
      await first?.();
      const name = await start(draft, sources, kubeflow);
      onDone();
      await kubeflow.resources
        .list(EXPERIMENT)
        .refresh()
        .catch(() => undefined);
      if (name) {
        await kubeflow.open(EXPERIMENT, name);
      }
    } catch (error) {
      setRefusal(error);
    }
  };
  return (
    <form
      className="jk-Form jk-TuneForm"
      ref={frame}
      aria-label={trans.__('New experiment')}
      onSubmit={event => event.preventDefault()}
      onKeyDown={event => {
        if (event.key === 'Enter' && (event.metaKey || event.ctrlKey)) {
          event.preventDefault();
          void submit();
        } else if (event.key === 'Escape') {
          event.stopPropagation();
          onDone();
        }
      }}
    >
      <SourceFields form={form} problems={problems} />
      <SpaceRows
        rows={draft.rows}
        problems={problems.rows}
        problem={source ? problems.fields.rows : undefined}
        onRows={rows => change({ rows })}
      />
      <ObjectiveFields draft={draft} change={change} problems={problems} source={source} />
      <SearchFields draft={draft} change={change} problems={problems} />
      <div className="jk-Code" role="group" aria-label={trans.__('The same in Python')}>
        <pre tabIndex={0}>{pythonOf(draft)}</pre>
        <CopyButton text={() => pythonOf(draft)} label={trans.__('Copy code')} />
      </div>
      {refusal !== null && (
        <Refusal error={refusal}>
          {refusal instanceof NotDefined && (
            <Button
              label={trans.__('Run the cell and start')}
              onClick={() =>
                submit(async () => {
                  const panel = sources.notebooks?.currentWidget;
                  return panel && runDefinition(panel, draft.function);
                })
              }
            />
          )}
        </Refusal>
      )}
      {wrong && <p className="jk-Form-fits">{wrong}</p>}
      <div className="jk-Form-buttons">
        <Button
          label={trans.__('Start')}
          kind="primary"
          disabled={wrong}
          onClick={() => submit()}
        />
        <Button label={trans.__('Cancel')} onClick={onDone} />
        <kbd>{trans.__('⌘/Ctrl Enter starts')}</kbd>
      </div>
    </form>
  );
}

/** The cell with the function was not run yet. */
class NotDefined extends Error {}

/** Why it did not start, brought into sight. */
function Refusal(props: { error: unknown; children?: React.ReactNode }): JSX.Element {
  const node = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    void node.current?.scrollIntoView({ block: 'nearest' });
  }, [props.error]);
  return (
    <div ref={node}>
      <ErrorLine error={props.error} />
      {props.children}
    </div>
  );
}

/** In the notebook's kernel, where the function and what it uses are; or from its file on the server. */
async function start(draft: IDraft, sources: ISources, kubeflow: IKubeflow): Promise<string> {
  if (isNotebook(draft.path)) {
    const panel = sources.notebooks?.currentWidget;
    if (!panel || sources.contents.localPath(panel.context.path) !== draft.path) {
      throw new Error(kubeflow.trans.__('Bring %1 to the front first.', draft.path));
    }
    try {
      return await tuneInKernel(panel, pythonOf(draft).replace(/\nexperiment$/, ''));
    } catch (error) {
      const missing = String(error).includes(`NameError: name '${draft.function}'`);
      throw missing
        ? new NotDefined(
            kubeflow.trans.__('The notebook’s kernel has no “%1” yet.', draft.function)
          )
        : error;
    }
  }
  const created = await kubeflow.request<IWork>('experiments', {
    method: 'POST',
    body: bodyOf(draft)
  });
  return created.metadata.name;
}

function SourceFields(props: { form: IFormState; problems: IDraftProblems }): JSX.Element {
  const { form, problems } = props;
  const { draft, source, file } = form;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const chosen = source?.functions.find(each => each.name === draft.function);
  return (
    <>
      <div className="jk-SourceChoice" role="radiogroup" aria-label={trans.__('Function from')}>
        {[false, true].map(value => (
          <label key={String(value)}>
            <input
              type="radio"
              name="jk-tune-source"
              checked={file === value}
              onChange={() => form.setFile(value)}
            />
            <span>{value ? trans.__('A file') : trans.__('The notebook in front')}</span>
          </label>
        ))}
      </div>
      {file ? (
        <Text
          label={trans.__('File')}
          value={draft.path}
          hint="train.py"
          problem={
            form.error
              ? trans.__('It cannot be read: %1', String((form.error as Error).message))
              : undefined
          }
          onChange={path => form.change({ path })}
        />
      ) : (
        <p className="jk-Muted" dir="auto">
          {source ? source.path : trans.__('Open a notebook that defines the function.')}
        </p>
      )}
      {source && !source.functions.length ? (
        <p className="jk-FieldError">
          {trans.__(
            '%1 defines no function. Put the training into one: def train(lr=0.01): …',
            source.path
          )}
        </p>
      ) : (
        <Choice
          label={trans.__('Function')}
          value={draft.function}
          options={(source?.functions ?? []).map(each => [each.name, each.name])}
          problem={source ? problems.fields.function : undefined}
          note={chosen?.summary}
          onChange={form.choose}
        />
      )}
    </>
  );
}

function ObjectiveFields(props: {
  draft: IDraft;
  change: Change;
  problems: IDraftProblems;
  source: ISource | null;
}): JSX.Element {
  const { draft, change, problems, source } = props;
  const { trans } = useKubeflow();
  const found = React.useMemo(
    () => (source ? metricsIn(bodyText(source, draft.function)) : []),
    [source, draft.function]
  );
  return (
    <div className="jk-Form-row">
      <Text
        label={trans.__('Objective')}
        value={draft.metric}
        hint="loss"
        suggestions={found}
        problem={problems.fields.metric}
        onChange={metric => change({ metric, direction: directionOf(metric) })}
      />
      <Choice
        label={trans.__('Direction')}
        value={draft.direction}
        options={[
          ['min', trans.__('Minimise')],
          ['max', trans.__('Maximise')]
        ]}
        onChange={direction => change({ direction: direction as IDraft['direction'] })}
      />
      <Text
        label={trans.__('Goal')}
        value={draft.goal}
        hint={trans.__('none')}
        problem={problems.fields.goal}
        onChange={goal => change({ goal })}
      />
    </div>
  );
}

function SearchFields(props: {
  draft: IDraft;
  change: Change;
  problems: IDraftProblems;
}): JSX.Element {
  const { draft, change, problems } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { value } = useFetched('algorithms', async signal => {
    const answer = await kubeflow.request<{ items: IAlgorithmInfo[] }>('experiments:algorithms', {
      signal
    });
    return answer.items;
  });
  const known = new Map((value ?? []).map(each => [each.name, each]));
  const why = known.get(draft.algorithm)?.available === false && known.get(draft.algorithm)?.reason;
  return (
    <>
      <Choice
        label={trans.__('Algorithm')}
        value={draft.algorithm}
        options={ALGORITHMS.map(name => [
          name,
          known.get(name)?.available === false
            ? trans.__('%1 (not available)', algorithmTitle(name, trans))
            : algorithmTitle(name, trans)
        ])}
        problem={why || problems.fields.algorithm}
        note={goodFor(draft.algorithm, trans)}
        onChange={algorithm => change({ algorithm })}
      />
      <div className="jk-Form-row">
        <Text
          label={trans.__('Trials')}
          value={draft.trials}
          problem={problems.fields.trials}
          onChange={trials => change({ trials })}
        />
        <Text
          label={trans.__('At a time')}
          value={draft.parallel}
          hint={trans.__('as fits')}
          problem={problems.fields.parallel}
          onChange={parallel => change({ parallel })}
        />
      </div>
      <Check
        label={trans.__('Stop trials early that are worse than the median of the others')}
        checked={draft.stopping === 'medianstop'}
        onChange={on => change({ stopping: on ? 'medianstop' : '' })}
      />
      <details className="jk-Form-more">
        <summary>{trans.__('More')}</summary>
        <Text
          label={trans.__('Name')}
          value={draft.name}
          hint={trans.__('made up')}
          problem={problems.fields.name}
          onChange={name => change({ name })}
        />
        <Text
          label={trans.__('Register the best model as')}
          value={draft.register}
          hint={trans.__('not registered')}
          problem={problems.fields.register}
          onChange={register => change({ register })}
        />
        <Text
          label={trans.__('Give up after so many failed trials')}
          value={draft.maxFailed}
          hint={trans.__('never')}
          problem={problems.fields.maxFailed}
          onChange={maxFailed => change({ maxFailed })}
        />
        <Text
          label={trans.__('Settings of the algorithm')}
          value={draft.settings}
          hint="seed=1, n_startup_trials=5"
          problem={problems.fields.settings}
          onChange={settings => change({ settings })}
        />
      </details>
    </>
  );
}
