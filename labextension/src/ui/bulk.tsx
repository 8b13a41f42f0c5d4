import * as React from 'react';

import type { ISection } from '../kinds';
import { splitKey } from '../model/merge';
import { useKubeflow, useTrans } from './context';
import { Button, InlineConfirm } from './controls';
import type { ISelection } from './resources';

/** What can be done to everything that is selected in a table. */
export function Bulk(props: { section: ISection; selection: ISelection }): JSX.Element {
  const { section, selection } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [asking, setAsking] = React.useState<string | null>(null);
  const keys = selection.all();
  const names = keys.map(key => splitKey(key).name);
  const view = kubeflow.sections.view(splitKey(keys[0] ?? '').kind);
  const actions = (view?.actions ?? []).filter(action => action.bulk && action.icon);
  const remove = view?.actions.find(action => action.command.includes(':delete-'));
  if (asking) {
    return (
      <InlineConfirm
        question={
          names.length === 1
            ? trans.__('Delete %1?', names[0])
            : trans.__('Delete %1 of them?', names.length)
        }
        verb={trans.__('Delete')}
        onCancel={() => setAsking(null)}
        onConfirm={async () => {
          await kubeflow.execute(asking, { names, confirmed: true });
          selection.clear();
          setAsking(null);
        }}
      />
    );
  }
  return (
    <>
      <span>{trans.__('%1 selected', keys.length)}</span>
      {section.compare && (
        <Button
          label={trans.__('Compare')}
          kind="primary"
          disabled={compareReason(keys.length, trans)}
          onClick={() => section.compare?.(names)}
        />
      )}
      {actions
        .filter(action => action !== remove && !kubeflow.whyNot(action.command, { names }))
        .map(action => (
          <Button
            key={action.command}
            label={action.label}
            icon={action.icon}
            onClick={() => kubeflow.execute(action.command, { names })}
          />
        ))}
      {remove && (
        <Button
          label={trans.__('Delete')}
          disabled={kubeflow.whyNot(remove.command, { names })}
          onClick={() => setAsking(remove.command)}
        />
      )}
      <Button label={trans.__('Clear')} onClick={selection.clear} />
    </>
  );
}

function compareReason(count: number, trans: ReturnType<typeof useTrans>): string | null {
  if (count < 2) {
    return trans.__('Select at least two.');
  }
  return count > 10 ? trans.__('At most ten fit side by side.') : null;
}
