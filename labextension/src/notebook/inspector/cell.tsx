import * as React from 'react';

import { checkName } from '../../model/quantities';
import type { IPipeline } from '../../model/types';
import { useTrans } from '../../ui/context';
import type { NotebookController } from '../controller';
import type { ICellText } from '../model/cells';
import type { Role } from '../model/roles';
import { declares, roleOf, rolesOf, setRole, startStep } from '../model/roles';
import { ChoiceField, TextField } from './fields';

/** What the active cell itself is for; its step's settings stand elsewhere. */
export function CellForm(props: {
  controller: NotebookController;
  cell: string;
}): JSX.Element | null {
  const { model, source } = props.controller;
  const { pipeline } = model;
  const trans = useTrans();
  const cell = source.cells.find(item => item.id === props.cell);
  if (!pipeline || cell?.type !== 'code') {
    return null;
  }
  const words: Record<Role, string> = {
    step: trans.__('part of its step'),
    imports: trans.__('imports, for every step'),
    functions: trans.__('functions, for every step'),
    parameters: trans.__('parameters of the pipeline'),
    metrics: trans.__('metrics of the pipeline'),
    skip: trans.__('left out of the pipeline')
  };
  return (
    <div className="jk-Fields">
      <ChoiceField
        label={trans.__('This cell is')}
        value={roleOf(cell)}
        choices={rolesOf(pipeline).map(role => [role, words[role]] as const)}
        onChange={role => model.edit(setRole(cell, role as Role, pipeline))}
      />
      <StartStep {...props} pipeline={pipeline} text={cell} />
    </div>
  );
}

/** A field that lets a step start at a cell in the middle of one, or outside of all. */
function StartStep(props: {
  controller: NotebookController;
  pipeline: IPipeline;
  text: ICellText;
}): JSX.Element | null {
  const { controller, pipeline, text } = props;
  const { model } = controller;
  const trans = useTrans();
  const place = model.stepOf(text.id);
  const starts = place?.first && place.step.kind !== 'setup';
  if (starts || roleOf(text) !== 'step' || !declares(pipeline)) {
    return null;
  }
  const taken = pipeline.steps.map(step => step.name);
  return (
    <TextField
      label={trans.__('Start a step here')}
      placeholder={trans.__('name of the new step')}
      value=""
      check={name => (name.trim() ? checkName(name, taken, trans) : null)}
      onCommit={name => name && model.edit(startStep(text, name, pipeline))}
    />
  );
}
