import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { useTrans } from '../../ui/context';
import { Button } from '../../ui/controls';
import type { IRow, RowField, RowProblems } from '../model/space';
import { EMPTY_ROW, isRange } from '../model/space';
import type { ParameterType } from '../model/types';

/** The space: a card per parameter, each mistake under its field as typed. */
export function SpaceRows(props: {
  rows: readonly IRow[];
  problems: readonly RowProblems[];
  problem?: string;
  onRows: (rows: readonly IRow[]) => void;
}): JSX.Element {
  const { rows, problems, onRows } = props;
  const trans = useTrans();
  const change = (index: number, part: Partial<IRow>) =>
    onRows(rows.map((row, at) => (at === index ? { ...row, ...part } : row)));
  return (
    <fieldset className="jk-Space">
      <legend>{trans.__('Parameters to tune')}</legend>
      {rows.map((row, index) => (
        <SpaceRow
          key={index}
          row={row}
          problems={problems[index] ?? {}}
          onChange={part => change(index, part)}
          onRemove={() => onRows(rows.filter((_, at) => at !== index))}
        />
      ))}
      {props.problem && <p className="jk-FieldError">{props.problem}</p>}
      <Button
        label={trans.__('Add parameter')}
        onClick={() => onRows([...rows, { ...EMPTY_ROW }])}
      />
    </fieldset>
  );
}

function SpaceRow(props: {
  row: IRow;
  problems: RowProblems;
  onChange: (part: Partial<IRow>) => void;
  onRemove: () => void;
}): JSX.Element {
  const { row, problems, onChange } = props;
  const trans = useTrans();
  const called = row.name || trans.__('New parameter');
  const types: [ParameterType, string][] = [
    ['double', trans.__('Number')],
    ['int', trans.__('Whole number')],
    ['discrete', trans.__('One of these numbers')],
    ['categorical', trans.__('One of these values')]
  ];
  const text = (field: RowField, label: string, hint?: string) => (
    <RowText
      label={label}
      described={trans.__('%1, %2', called, label)}
      value={row[field]}
      hint={hint}
      problem={problems[field]}
      onChange={value => onChange({ [field]: value })}
    />
  );
  return (
    <div
      className={row.on ? 'jk-SpaceRow' : 'jk-SpaceRow jk-mod-off'}
      role="group"
      aria-label={called}
      data-parameter={row.name}
    >
      <div className="jk-SpaceRow-head">
        <input
          type="checkbox"
          checked={row.on}
          aria-label={trans.__('Tune %1', called)}
          onChange={event => onChange({ on: event.target.checked })}
        />
        {row.standard || row.name ? (
          <code dir="auto" title={row.name}>
            {row.name}
          </code>
        ) : null}
        {row.standard && <span className="jk-Muted">= {row.standard}</span>}
        <span className="jk-Spacer" />
        <Button
          label={trans.__('Remove %1', called)}
          icon={closeIcon}
          iconOnly
          onClick={props.onRemove}
        />
      </div>
      {row.on && (
        <div className={isRange(row.type) ? 'jk-SpaceRow-range' : 'jk-SpaceRow-list'}>
          <select
            aria-label={trans.__('Type of %1', called)}
            value={row.type}
            onChange={event => onChange({ type: event.target.value as ParameterType })}
          >
            {types.map(([type, word]) => (
              <option key={type} value={type}>
                {word}
              </option>
            ))}
          </select>
          {!row.standard && text('name', trans.__('Name'), 'lr')}
          {isRange(row.type) ? (
            <>
              {text('min', trans.__('From'))}
              {text('max', trans.__('To'))}
              {text('step', trans.__('Step'), trans.__('none'))}
              <label className="jk-SpaceRow-log">
                <input
                  type="checkbox"
                  checked={row.log}
                  aria-label={trans.__('%1, log scale', called)}
                  onChange={event => onChange({ log: event.target.checked })}
                />
                <span>{trans.__('Log scale')}</span>
              </label>
            </>
          ) : (
            text('list', trans.__('Values, separated by commas'), 'sgd, adam')
          )}
        </div>
      )}
    </div>
  );
}

function RowText(props: {
  label: string;
  described: string;
  value: string;
  hint?: string;
  problem?: string;
  onChange: (value: string) => void;
}): JSX.Element {
  const id = React.useId();
  return (
    <label>
      <span>{props.label}</span>
      <input
        className="jk-mod-code"
        value={props.value}
        placeholder={props.hint}
        aria-label={props.described}
        aria-invalid={props.problem ? true : undefined}
        aria-describedby={props.problem ? id : undefined}
        dir="auto"
        spellCheck={false}
        autoComplete="off"
        onChange={event => props.onChange(event.target.value)}
      />
      {props.problem && (
        <span id={id} className="jk-FieldError">
          {props.problem}
        </span>
      )}
    </label>
  );
}
