import * as React from 'react';

import { number } from '../../format';
import type { IArtifact, IRun } from '../../model/types';
import { useKubeflow } from '../../ui/context';
import { ArtifactView } from './values';
import { valueText } from './header';
import { Verdict } from './verdict';

/** The whole run, shown while no step is selected. */
export function Overview(props: { run: IRun }): JSX.Element {
  const { run } = props;
  const { trans } = useKubeflow();
  const steps = run.status.steps ?? [];
  const artifacts = steps.flatMap(step =>
    (step.artifacts ?? []).map((artifact): [string, IArtifact] => [step.name, artifact])
  );
  const parameters = Object.entries(run.spec.parameters ?? {}).map(
    ([name, value]): [string, string] => [name, valueText(value)]
  );
  const metrics = Object.entries(run.status.metrics ?? {});
  const environment = run.status.environment ?? run.spec.environment ?? {};
  const packages = Object.entries(environment.packages ?? {});
  return (
    <section className="jk-Overview" aria-label={trans.__('Run overview')}>
      <h2 className="jk-visuallyHidden">{trans.__('Run overview')}</h2>
      <p className="jk-Quiet">{trans.__('Select a step to see its values, log and code.')}</p>
      <Verdict run={run} />
      {metrics.length > 0 && (
        <section aria-label={trans.__('All metrics')}>
          <h3>{trans.__('Metrics')}</h3>
          <dl className="jk-BigNumbers">
            {metrics.map(([name, value]) => (
              <div key={name}>
                <dt dir="auto" title={name}>
                  {name}
                </dt>
                <dd title={String(value)}>{number(value)}</dd>
              </div>
            ))}
          </dl>
        </section>
      )}
      <FactList title={trans.__('Parameters')} rows={parameters} />
      {artifacts.length > 0 && (
        <section aria-label={trans.__('Artifacts')}>
          <h3>{trans.__('Artifacts')}</h3>
          {artifacts.map(([step, artifact], index) => (
            <ArtifactView key={`${step}-${index}`} artifact={artifact} />
          ))}
        </section>
      )}
      {packages.length > 0 && (
        <details>
          <summary>
            {trans._n('%1 package', '%1 packages', packages.length)}
            {environment.platform && ` · ${environment.platform}`}
          </summary>
          <FactList title={trans.__('Packages')} rows={packages} bare />
        </details>
      )}
    </section>
  );
}

function FactList(props: {
  title: string;
  rows: [string, string][];
  bare?: boolean;
}): JSX.Element | null {
  if (!props.rows.length) {
    return null;
  }
  return (
    <section aria-label={props.title}>
      {!props.bare && <h3>{props.title}</h3>}
      <dl className="jk-Facts">
        {props.rows.map(([name, value]) => (
          <React.Fragment key={name}>
            <dt dir="auto">{name}</dt>
            <dd dir="auto">{value}</dd>
          </React.Fragment>
        ))}
      </dl>
    </section>
  );
}
