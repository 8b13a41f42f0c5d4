import * as React from 'react';

import { KubeflowError } from '../model/errors';
import { useTrans } from './context';
import { Button, CopyButton } from './controls';
import { useOwnFocus } from './focus';

/** One question of a form. Which fields there are and in which order is data; how they look is here. */
export interface IField {
  readonly name: string;
  readonly label: string;
  /** `lines`: several lines of text; `code`: the same in the code font, taller. */
  readonly kind: 'text' | 'number' | 'choice' | 'check' | 'lines' | 'code';
  /** One sentence under the field, while there is no problem to say. */
  readonly help?: string;
  readonly unit?: string;
  readonly placeholder?: string;
  /** Why nothing can be asked for here; it can still be reached, to be read. */
  readonly off?: string | null;
  readonly choices?: readonly (readonly [value: string, label: string])[];
  /** Asked only when unfolded: what most people leave as it is. */
  readonly more?: boolean;
  /** Takes half a line where there is room. */
  readonly half?: boolean;
}

export type Values = Readonly<Record<string, string | boolean>>;

export interface IFormState {
  readonly fields: readonly IField[];
  readonly values: Values;
  readonly onChange: (name: string, value: string | boolean) => void;
  /** By the name of the field. */
  readonly problems: Readonly<Record<string, string>>;
}

export interface IFormFrame extends IFormState {
  readonly label: string;
  /** What is asked before the fields, and after them. */
  readonly before?: React.ReactNode;
  readonly children?: React.ReactNode;
  /** What fits, what is left: beside the button. */
  readonly fits?: string | null;
  /** The same as code, or a view of it in several ways; nothing while it is not known. */
  readonly code?: React.ReactNode;
  readonly submit: string;
  /** Why it cannot be submitted now. */
  readonly disabled?: string | null;
  readonly onSubmit: () => Promise<unknown>;
  /** Another thing that can be done with the answers. */
  readonly also?: { readonly label: string; readonly onSubmit: () => Promise<unknown> };
  readonly onCancel: () => void;
}

/** Questions, problems under them, the same as code, one button; Ctrl-Enter submits, Escape gives up. */
export function Form(props: IFormFrame): JSX.Element {
  const trans = useTrans();
  const frame = useOwnFocus<HTMLFormElement>();
  const [failure, setFailure] = React.useState<KubeflowError | null>(null);
  const [refused, setRefused] = React.useState<Record<string, string>>({});
  const [more, setMore] = React.useState(false);
  React.useEffect(() => setRefused({}), [props.values]);
  const problems = { ...refused, ...props.problems };
  const hidden = props.fields.filter(field => field.more);
  const submit = async (call = props.onSubmit) => {
    if (props.disabled) {
      return;
    }
    setFailure(null);
    try {
      await call();
    } catch (error) {
      const found = KubeflowError.from(error);
      const field = (found.where.field ?? '').split('.')[0];
      if (props.fields.some(each => each.name === field)) {
        setRefused({ [field]: sentence(found) });
        setMore(open => open || hidden.some(each => each.name === field));
      } else {
        setFailure(found);
      }
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      void submit();
    } else if (event.key === 'Escape') {
      props.onCancel();
    } else {
      return;
    }
    event.stopPropagation();
    event.preventDefault();
  };
  const rows = (fields: readonly IField[]) =>
    fields.map(field => (
      <FieldRow
        key={field.name}
        field={field}
        value={props.values[field.name]}
        problem={problems[field.name]}
        onChange={value => props.onChange(field.name, value)}
      />
    ));
  // What a field says already is not said twice.
  const isSaid = Object.values(problems).includes(props.disabled ?? '');
  const below = isSaid ? null : (props.disabled ?? props.fits);
  return (
    <form
      className="jk-Form"
      ref={frame}
      aria-label={props.label}
      onKeyDown={onKeyDown}
      onSubmit={event => event.preventDefault()}
    >
      {props.before}
      <div className="jk-Form-fields">{rows(props.fields.filter(field => !field.more))}</div>
      {props.children}
      {hidden.length > 0 && (
        <details
          className="jk-Form-more"
          open={more || hidden.some(field => problems[field.name])}
          onToggle={event => setMore(event.currentTarget.open)}
        >
          <summary>{trans.__('More')}</summary>
          <div className="jk-Form-fields">{rows(hidden)}</div>
        </details>
      )}
      {failure && (
        <p className="jk-FieldError" role="alert">
          {sentence(failure)}
        </p>
      )}
      {below && <p className="jk-Form-fits">{below}</p>}
      {typeof props.code === 'string' && props.code ? <Equivalent code={props.code} /> : props.code}
      <div className="jk-Form-buttons">
        <Button
          label={props.submit}
          kind="primary"
          disabled={props.disabled}
          title={trans.__('Ctrl-Enter')}
          onClick={() => submit()}
        />
        {props.also && (
          <Button
            label={props.also.label}
            disabled={props.disabled}
            onClick={() => submit(props.also?.onSubmit)}
          />
        )}
        <Button label={trans.__('Cancel')} onClick={props.onCancel} />
      </div>
    </form>
  );
}

function sentence(error: KubeflowError): string {
  const { message, hint } = error;
  return hint && !message.includes(hint) ? `${message} ${hint}` : message;
}

function Equivalent(props: { code: string }): JSX.Element {
  const trans = useTrans();
  return (
    <div className="jk-Code">
      <pre tabIndex={0} aria-label={trans.__('The same as code')}>
        {props.code}
      </pre>
      <CopyButton text={props.code} label={trans.__('Copy code')} />
    </div>
  );
}

/** One of a few, all in sight: what a form is about. */
export function Choice(props: {
  label: string;
  choices: readonly (readonly [value: string, label: string])[];
  value: string;
  onChange: (value: string) => void;
}): JSX.Element {
  const name = React.useId();
  return (
    <fieldset className="jk-Choice">
      <legend className="jk-visuallyHidden">{props.label}</legend>
      {props.choices.map(([value, label]) => (
        <label key={value}>
          <input
            type="radio"
            name={name}
            checked={props.value === value}
            onChange={() => props.onChange(value)}
          />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}

export function FieldRow(props: {
  field: IField;
  value: string | boolean | undefined;
  problem?: string;
  onChange: (value: string | boolean) => void;
}): JSX.Element {
  const { field, problem } = props;
  const id = React.useId();
  const said = problem ?? field.off ?? field.help;
  const classes = ['jk-Field', `jk-mod-${field.kind}`];
  if (field.half) {
    classes.push('jk-mod-half');
  }
  return (
    <div className={classes.join(' ')}>
      <label htmlFor={id}>
        <span>{field.label}</span>
      </label>
      <span className="jk-Field-box">
        <Input {...props} id={id} describedBy={said ? `${id}-said` : undefined} />
        {field.unit && <span className="jk-Field-unit">{field.unit}</span>}
      </span>
      {said && (
        <span id={`${id}-said`} className={problem ? 'jk-FieldError' : 'jk-Field-help'}>
          {said}
        </span>
      )}
    </div>
  );
}

function Input(props: {
  field: IField;
  value: string | boolean | undefined;
  problem?: string;
  id: string;
  describedBy?: string;
  onChange: (value: string | boolean) => void;
}): JSX.Element {
  const { field, value } = props;
  const shared = {
    id: props.id,
    'aria-invalid': props.problem ? true : undefined,
    'aria-describedby': props.describedBy
  };
  const text = typeof value === 'string' ? value : '';
  const change = (
    event: React.ChangeEvent<HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement>
  ) => props.onChange(event.target.value);
  switch (field.kind) {
    case 'choice':
      return (
        <select {...shared} value={text} onChange={change}>
          {(field.choices ?? []).map(([name, label]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
      );
    case 'check':
      return (
        <input
          {...shared}
          type="checkbox"
          checked={value === true}
          onChange={event => props.onChange(event.target.checked)}
        />
      );
    case 'lines':
    case 'code':
      return (
        <textarea
          {...shared}
          className="jk-mod-code"
          rows={field.kind === 'code' ? Math.min(14, Math.max(4, text.split('\n').length)) : 2}
          spellCheck={false}
          placeholder={field.placeholder}
          value={text}
          onChange={change}
        />
      );
    default:
      return (
        <input
          {...shared}
          dir="auto"
          readOnly={Boolean(field.off)}
          aria-disabled={field.off ? true : undefined}
          inputMode={field.kind === 'number' ? 'numeric' : undefined}
          autoComplete="off"
          spellCheck={false}
          placeholder={field.placeholder}
          value={text}
          onChange={change}
        />
      );
  }
}
