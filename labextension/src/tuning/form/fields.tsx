import * as React from 'react';

interface IFieldProps {
  label: string;
  value: string;
  problem?: string;
  onChange: (value: string) => void;
}

export function Text(
  props: IFieldProps & { hint?: string; suggestions?: readonly string[] }
): JSX.Element {
  const id = React.useId();
  const { suggestions = [] } = props;
  return (
    <div className="jk-TuneField">
      <label htmlFor={id}>
        <span>{props.label}</span>
      </label>
      <input
        id={id}
        value={props.value}
        placeholder={props.hint}
        list={suggestions.length ? `${id}-list` : undefined}
        aria-invalid={props.problem ? true : undefined}
        aria-describedby={props.problem ? `${id}-problem` : undefined}
        dir="auto"
        spellCheck={false}
        autoComplete="off"
        onChange={event => props.onChange(event.target.value)}
      />
      {suggestions.length > 0 && (
        <datalist id={`${id}-list`}>
          {suggestions.map(each => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
      {props.problem && (
        <span id={`${id}-problem`} className="jk-FieldError">
          {props.problem}
        </span>
      )}
    </div>
  );
}

export function Choice(
  props: IFieldProps & { options: readonly (readonly [string, string])[]; note?: string }
): JSX.Element {
  const id = React.useId();
  const said = [props.note && `${id}-note`, props.problem && `${id}-problem`].filter(Boolean);
  return (
    <div className="jk-TuneField">
      <label htmlFor={id}>
        <span>{props.label}</span>
      </label>
      <select
        id={id}
        value={props.value}
        aria-invalid={props.problem ? true : undefined}
        aria-describedby={said.join(' ') || undefined}
        onChange={event => props.onChange(event.target.value)}
      >
        {props.options.map(([value, word]) => (
          <option key={value} value={value}>
            {word}
          </option>
        ))}
      </select>
      {props.note && (
        <span id={`${id}-note`} className="jk-FieldNote" dir="auto">
          {props.note}
        </span>
      )}
      {props.problem && (
        <span id={`${id}-problem`} className="jk-FieldError">
          {props.problem}
        </span>
      )}
    </div>
  );
}

export function Check(props: {
  label: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
}): JSX.Element {
  return (
    <label className="jk-Form-check">
      <input
        type="checkbox"
        checked={props.checked}
        onChange={event => props.onChange(event.target.checked)}
      />
      <span>{props.label}</span>
    </label>
  );
}
