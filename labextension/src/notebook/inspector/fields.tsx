import * as React from 'react';

/**
 * A line of text that is handed on when it is finished (Enter, or leaving the field) and right.
 *
 * While something is wrong the sentence stands below and nothing is handed on; Esc takes it back.
 */
export function TextField(props: {
  label: string;
  value: string;
  unit?: string;
  placeholder?: string;
  code?: boolean;
  check: (text: string) => string | null;
  onCommit: (text: string) => void;
}): JSX.Element {
  const id = React.useId();
  const [draft, setDraft] = React.useState<string | null>(null);
  const text = draft ?? props.value;
  const problem = draft === null ? null : props.check(draft);
  // The notebook changed beneath the field: what it says now counts.
  React.useEffect(() => setDraft(null), [props.value]);
  const commit = (): void => {
    if (draft !== null && problem === null) {
      if (draft.trim() === props.value) {
        setDraft(null);
      } else {
        props.onCommit(draft.trim());
      }
    }
  };
  const onKeyDown = (event: React.KeyboardEvent): void => {
    if (event.key === 'Enter') {
      commit();
    } else if (event.key === 'Escape' && draft !== null) {
      setDraft(null);
    } else {
      return;
    }
    event.stopPropagation();
  };
  return (
    <div className="jk-StepField">
      <label htmlFor={id}>
        {props.label} {props.unit && <span className="jk-StepField-unit">{props.unit}</span>}
      </label>
      <input
        id={id}
        type="text"
        className={props.code ? 'jk-mod-code' : undefined}
        spellCheck={false}
        autoComplete="off"
        placeholder={props.placeholder}
        value={text}
        aria-invalid={problem ? true : undefined}
        aria-describedby={problem ? `${id}-problem` : undefined}
        onChange={event => setDraft(event.target.value)}
        onBlur={commit}
        onKeyDown={onKeyDown}
      />
      {problem && (
        <span className="jk-StepField-problem" id={`${id}-problem`} role="status">
          {problem}
        </span>
      )}
    </div>
  );
}

/** One of a few words. */
export function ChoiceField(props: {
  label: string;
  value: string;
  choices: readonly (readonly [string, string])[];
  onChange: (value: string) => void;
}): JSX.Element {
  const id = React.useId();
  return (
    <div className="jk-StepField">
      <label htmlFor={id}>{props.label}</label>
      <select id={id} value={props.value} onChange={event => props.onChange(event.target.value)}>
        {props.choices.map(([value, word]) => (
          <option key={value} value={value}>
            {word}
          </option>
        ))}
      </select>
    </div>
  );
}
