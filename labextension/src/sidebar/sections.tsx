import * as React from 'react';

import { useKubeflow, useSignal } from '../ui/context';
import { Fold } from '../ui/controls';
import type { Memory } from './memory';

/** Capabilities that nobody here shows yet: there as soon as the cluster speaks of them, with the reason. */
export function OtherSections(props: { memory: Memory }): JSX.Element {
  const { memory } = props;
  const { trans, resources, sections } = useKubeflow();
  useSignal(resources.connectionChanged);
  useSignal(memory.changed);
  const titles: [string, string][] = [
    ['training', trans.__('Training')],
    ['tuning', trans.__('Tuning')],
    ['spark', trans.__('Spark')],
    ['registry', trans.__('Models')],
    ['serving', trans.__('Endpoints')],
    ['servers', trans.__('Servers')]
  ];
  const known = resources.status?.cluster.capabilities ?? {};
  const isPart = (name: string) => sections.parts.some(({ id }) => id === name);
  return (
    <>
      {titles
        .filter(([name]) => name in known && !sections.get(name))
        .filter(([name]) => !(isPart(name) && known[name].available))
        .map(([name, title]) => {
          const { available, reason } = known[name];
          const why = available ? null : (reason ?? trans.__('This cluster does not have it.'));
          return (
            <Fold
              key={name}
              title={title}
              open={memory.isOpen(name, false)}
              muted={why}
              onToggle={open => memory.fold(name, open)}
            >
              <p className="jk-Quiet">{why ?? trans.__('Nothing here yet.')}</p>
            </Fold>
          );
        })}
    </>
  );
}
