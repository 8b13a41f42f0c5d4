import * as React from 'react';

import { KubeflowError } from '../../model/errors';
import { useKubeflow } from '../../ui/context';
import { Button, ErrorLine } from '../../ui/controls';
import { ask } from '../commands';
import { rulesOf } from '../model/form';
import { underlined } from '../model/place';
import type { IRule, IRuleProblem } from '../model/types';
import { usePaused, usePolled } from '../../ui/polled';
import type { IPaneProps } from './view';

const PAUSE = 300;
const EXAMPLE = 'roll back if errors > 2 % or p99 > 200 ms over 5 minutes';

/** What takes a bad variant back by itself, and how near it is to that. */
export function RulesPane(props: IPaneProps): JSX.Element {
  const { item } = props;
  const { trans } = useKubeflow();
  const [editing, setEditing] = React.useState(false);
  const rules = item.status.rules ?? [];
  if (editing) {
    return <Editor item={item} rules={rules} onDone={() => setEditing(false)} />;
  }
  return (
    <div className="jk-Rules">
      {rules.length ? (
        <ul className="jk-Plain" aria-label={trans.__('Rules')}>
          {rules.map(rule => (
            <Rule key={rule.text} rule={rule} />
          ))}
        </ul>
      ) : (
        <p className="jk-Quiet">
          {trans.__('No rules yet. A rule takes a bad variant back by itself, for example:')}{' '}
          <code>{EXAMPLE}</code>
        </p>
      )}
      <Button
        label={rules.length ? trans.__('Edit rules') : trans.__('Add a rule')}
        kind={rules.length ? 'plain' : 'primary'}
        onClick={() => setEditing(true)}
      />
    </div>
  );
}

function Rule(props: { rule: IRule }): JSX.Element {
  const { rule } = props;
  const { trans } = useKubeflow();
  const words: Record<string, [string, string]> = {
    ok: ['good', trans.__('Kept')],
    waiting: ['off', trans.__('Waits for more requests')],
    breached: ['bad', trans.__('Broken: rolled back')]
  };
  const [tone, word] = words[rule.state ?? 'waiting'] ?? ['off', rule.state ?? ''];
  return (
    <li className="jk-Rules-rule" data-state={rule.state}>
      <code dir="auto">{rule.text}</code>
      <span className={`jk-StateBadge jk-tone-${tone}`}>
        <i className="jk-Dot" />
        {word}
      </span>
      {rule.value !== null && rule.value !== undefined && rule.value !== '' && (
        <span className="jk-Muted">{trans.__('now %1', String(rule.value))}</span>
      )}
      {rule.reason && (
        <p className="jk-Variants-reason" dir="auto">
          {rule.reason}
        </p>
      )}
    </li>
  );
}

function Editor(props: {
  item: IPaneProps['item'];
  rules: readonly IRule[];
  onDone: () => void;
}): JSX.Element {
  const { item } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const id = React.useId();
  const [text, setText] = React.useState(() => props.rules.map(rule => rule.text).join('\n'));
  const [error, setError] = React.useState<unknown>(null);
  const rules = rulesOf(text);
  const typed = usePaused(rules.join('\n'), PAUSE);
  const { value } = usePolled(`${item.metadata.uid}|${typed}`, 0, async signal => {
    const asked = rulesOf(typed);
    const body = { rules: asked, dryRun: true };
    const found = asked.length
      ? await ask<{ problems?: IRuleProblem[] }>(
          kubeflow,
          item.metadata.name,
          'rules',
          body,
          signal
        ).catch(refusal)
      : { problems: [] };
    return { typed, problems: found.problems ?? [] };
  });
  const problems = value && value.typed === rules.join('\n') ? value.problems : [];
  const save = async () => {
    try {
      await ask(kubeflow, item.metadata.name, 'rules', { rules });
      props.onDone();
    } catch (failure) {
      setError(failure);
    }
  };
  const blocked = problems.length ? trans.__('Mend what is marked first.') : null;
  return (
    <form
      className="jk-Form jk-Rules-form"
      aria-label={trans.__('Rules of this endpoint')}
      onSubmit={event => event.preventDefault()}
      onKeyDown={event => {
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && !blocked) {
          void save();
        } else if (event.key === 'Escape') {
          props.onDone();
        } else {
          return;
        }
        event.preventDefault();
        event.stopPropagation();
      }}
    >
      <label htmlFor={id}>
        <span>{trans.__('One rule a line')}</span>
      </label>
      <textarea
        id={id}
        rows={Math.max(3, text.split('\n').length + 1)}
        autoFocus
        spellCheck={false}
        placeholder={EXAMPLE}
        value={text}
        aria-invalid={problems.length ? true : undefined}
        aria-describedby={`${id}-said`}
        onChange={event => {
          setText(event.target.value);
          setError(null);
        }}
      />
      <div id={`${id}-said`}>
        {problems.map((problem, index) => (
          <Problem key={index} problem={problem} rules={rules} />
        ))}
      </div>
      {error ? <ErrorLine error={error} /> : null}
      <div className="jk-Form-buttons">
        <Button
          label={trans.__('Save rules')}
          kind="primary"
          title={trans.__('Ctrl-Enter')}
          disabled={blocked}
          onClick={save}
        />
        <Button label={trans.__('Cancel')} onClick={props.onDone} />
      </div>
    </form>
  );
}

/** The line again with its place marked, and what is wrong there. */
function Problem(props: { problem: IRuleProblem; rules: readonly string[] }): JSX.Element {
  const { problem, rules } = props;
  const line = rules[problem.index ?? 0] ?? '';
  const [before, wrong, after] = underlined(line, problem.position ?? null);
  const { message, hint } = problem;
  return (
    <p className="jk-FieldError">
      {line && (
        <code className="jk-Rules-place">
          {before}
          <mark>{wrong}</mark>
          {after}
        </code>
      )}{' '}
      {message}
      {hint && !message.includes(hint) && ` ${hint}`}
    </p>
  );
}

function refusal(error: unknown): { problems: IRuleProblem[] } {
  const { message, hint, status } = KubeflowError.from(error);
  return status >= 400 && status < 500 ? { problems: [{ message, hint }] } : { problems: [] };
}
