import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IStep } from '../../model/types';
import { useTrans } from '../../ui/context';
import { Button } from '../../ui/controls';
import type { NotebookController } from '../controller';
import { neighbours } from '../model/graph';

/** Which steps come before this one: those declared, which can be changed, and those found. */
export function OrderField(props: {
  controller: NotebookController;
  step: IStep;
  onChange: (after: string[]) => void;
}): JSX.Element {
  const { controller, step, onChange } = props;
  const { pipeline } = controller.model;
  const trans = useTrans();
  const id = React.useId();
  const declared = step.after ?? [];
  const found = (pipeline?.edges ?? []).filter(
    edge => edge.target === step.name && edge.kind !== 'declared' && edge.source !== 'setup'
  );
  const later = pipeline ? neighbours(pipeline, step.name).downstream : new Set<string>();
  // A step that comes later anyway would make a circle.
  const others = (pipeline?.steps ?? [])
    .filter(item => item.kind !== 'setup' && item.name !== step.name)
    .map(item => item.name)
    .filter(name => !declared.includes(name) && !later.has(name));
  return (
    <div className="jk-StepField" role="group" aria-labelledby={id}>
      <span id={id} className="jk-StepField-label">
        {trans.__('Runs after')}
      </span>
      <ul className="jk-Order">
        {declared.map(name => (
          <li key={name} className="jk-Order-item">
            <span>{name}</span>
            <Button
              label={trans.__('No longer after %1', name)}
              icon={closeIcon}
              iconOnly
              onClick={() => onChange(declared.filter(item => item !== name))}
            />
          </li>
        ))}
        {found.map(edge => (
          <li
            key={`${edge.source} ${edge.kind}`}
            className="jk-Order-item jk-mod-found"
            title={edge.reason || trans.__('Found in the code')}
          >
            <span>{edge.source}</span>
            <span className="jk-StepField-unit">
              {edge.kind === 'order' ? trans.__('keeps order') : trans.__('found')}
            </span>
          </li>
        ))}
        {declared.length + found.length === 0 && (
          <li className="jk-Flow-none">{trans.__('nothing: it can start at once')}</li>
        )}
      </ul>
      {others.length > 0 && (
        <select
          aria-label={trans.__('Add a step that comes before')}
          value=""
          onChange={event => onChange([...declared, event.target.value])}
        >
          <option value="">{trans.__('Add…')}</option>
          {others.map(name => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      )}
    </div>
  );
}
