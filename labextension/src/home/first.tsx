import * as React from 'react';

import type { ISection } from '../kinds';
import { CommandIDs } from '../tokens';
import { useKubeflow, useSignal } from '../ui/context';
import { Button, CopyButton } from '../ui/controls';
import { Card } from './card';

/** What a newcomer begins with; each has a button in the panel's section too. */
const FIRST = ['pipelines', 'training', 'serving'];

/** Nothing was made here yet: three ways to begin, each as a button and as code. */
export function FirstSteps(): JSX.Element {
  const { trans, sections, resources } = useKubeflow();
  useSignal(sections.changed);
  useSignal(resources.connectionChanged);
  const known = resources.status?.cluster.capabilities ?? {};
  const found = FIRST.map(id => sections.get(id)).filter(
    (section): section is ISection =>
      section !== undefined && known[section.id]?.available !== false
  );
  return (
    <Card title={trans.__('First steps')} note={trans.__('Nothing was made in this profile yet.')}>
      <ol className="jk-Home-steps">
        {found.map(section => (
          <Step key={section.id} section={section} />
        ))}
      </ol>
    </Card>
  );
}

function Step(props: { section: ISection }): JSX.Element {
  const { section } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { create, empty } = section;
  const why = create.command ? kubeflow.whyNot(create.command) : null;
  useSignal(kubeflow.commandsChanged);
  const begin = () =>
    create.command
      ? kubeflow.execute(create.command)
      : kubeflow.execute(CommandIDs.create, { section: section.id });
  return (
    <li>
      <h3>{section.title}</h3>
      <p>{empty.sentence}</p>
      <div className="jk-Code">
        <pre tabIndex={0}>{empty.code}</pre>
        <CopyButton text={empty.code} label={trans.__('Copy')} />
      </div>
      <div className="jk-Home-begin">
        <Button label={create.first ?? create.label} disabled={why} onClick={begin} />
        {why && <span className="jk-Home-note">{why}</span>}
      </div>
    </li>
  );
}
