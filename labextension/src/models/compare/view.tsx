import * as React from 'react';

import { CompareTable } from '../../ui/compare';
import { useFetched, useKubeflow, useSignal } from '../../ui/context';
import { Button, ErrorLine } from '../../ui/controls';
import { ModelCommands } from '../commands';
import { versionSections } from '../model/compare';
import { compareCode, reference, sortedAliases, splitReference } from '../model/model';
import type { IModel, IVersionComparison } from '../model/types';
import { MODEL } from '../model/types';

/** Versions as columns, of one model or of several; rows that differ first. */
export function CompareModels(props: {
  names: readonly string[];
  onNames: (names: readonly string[]) => void;
}): JSX.Element {
  const { names } = props;
  const kubeflow = useKubeflow();
  const { trans, resources } = kubeflow;
  const [only, setOnly] = React.useState(false);
  const list = resources.list(MODEL);
  useSignal(list.changed);
  const asked = JSON.stringify(names);
  const { value, error, reload } = useFetched(asked, signal =>
    kubeflow.request<IVersionComparison>(
      `registeredmodels:compare?versions=${encodeURIComponent(asked)}`,
      { signal }
    )
  );
  const titles = {
    metrics: trans.__('Metrics'),
    parameters: trans.__('Parameters'),
    data: trans.__('Data'),
    signature: trans.__('Signature'),
    format: trans.__('Format'),
    lineage: trans.__('Lineage'),
    packages: trans.__('Packages')
  };
  const sections = value ? versionSections(value.rows, only) : [];
  const same = sections.reduce((sum, section) => sum + section.same, 0);
  return (
    <div className="jk-Compare">
      <div className="jk-Compare-head">
        <h1>{trans._n('Comparing %1 version', 'Comparing %1 versions', names.length)}</h1>
        <span className="jk-Spacer" />
        <Button
          label={trans.__('Copy as code')}
          onClick={() => kubeflow.copyCode(compareCode(value?.versions ?? names))}
        />
        <Button
          label={trans.__('Only differences')}
          pressed={only}
          onClick={() => setOnly(!only)}
        />
      </div>
      {error !== null && <ErrorLine error={error} onRetry={reload} />}
      {!value && !error && <p className="jk-Quiet">{trans.__('Loading…')}</p>}
      {value && (
        <div className="jk-Compare-body">
          <div
            className="jk-ScrollX"
            role="region"
            aria-label={trans.__('Comparison')}
            tabIndex={0}
          >
            <CompareTable
              columns={value.versions.map(name => ({
                name,
                created: undefined,
                mark: <Marks item={list.get(splitReference(name).model) as IModel} name={name} />,
                open: () => open(kubeflow, name)
              }))}
              sections={sections}
              titles={titles}
              facts={{}}
              onNames={props.onNames}
            />
          </div>
          {!sections.length && (
            <p className="jk-Quiet">{trans.__('Nothing differs between them.')}</p>
          )}
          {same > 0 && (
            <p className="jk-Quiet">
              {trans._n('%1 package is the same.', '%1 packages are the same.', same)}
            </p>
          )}
        </div>
      )}
    </div>
  );
}

function open(kubeflow: ReturnType<typeof useKubeflow>, name: string): void {
  const { model, version } = splitReference(name);
  void kubeflow.execute(ModelCommands.open, { name: model, place: { version } });
}

/** The aliases that mean this version. */
function Marks(props: { item: IModel | undefined; name: string }): JSX.Element | null {
  const { item, name } = props;
  const aliases = Object.entries(item?.status.aliases ?? {})
    .filter(([, version]) => reference({ model: item!.metadata.name, version }) === name)
    .map(([alias]) => alias);
  return aliases.length ? (
    <span className="jk-Aliases">
      {sortedAliases(aliases).map(alias => (
        <span key={alias} className="jk-Alias" dir="auto">
          {alias}
        </span>
      ))}
    </span>
  ) : null;
}
