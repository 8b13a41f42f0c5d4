import * as React from 'react';

import { compareCode } from '../../model/actions';
import type { IComparison } from '../../model/comparison';
import { sections } from '../../model/comparison';
import { parseUnified } from '../../model/diff';
import { CompareTable } from '../../ui/compare';
import { useFetched, useKubeflow, useSignal, useTrans } from '../../ui/context';
import { Button, ErrorLine, Fold } from '../../ui/controls';
import { Diff } from '../run/code';
import { ArtifactView } from '../run/values';

/** Runs as columns. What differs comes first; what is the same can be left out. */
export function CompareView(props: {
  names: readonly string[];
  onNames: (names: readonly string[]) => void;
}): JSX.Element {
  const { names } = props;
  const kubeflow = useKubeflow();
  const { trans, resources } = kubeflow;
  useSignal(resources.connectionChanged);
  const [only, setOnly] = React.useState(false);
  const path = `runs:compare?names=${names.map(encodeURIComponent).join(',')}`;
  const states = names.map(name => resources.runs.get(name)?.status.phase).join();
  useSignal(resources.runs.changed);
  const fetched = useFetched(names.length > 1 ? `${path}#${states}` : null, signal =>
    kubeflow.request<IComparison>(path, { signal })
  );
  const last = React.useRef<IComparison | null>(null);
  last.current = fetched.value ?? last.current;
  const comparison = fetched.value ?? (fetched.loading ? last.current : null);
  return (
    <div className="jk-Compare">
      <div className="jk-Compare-head">
        <h1>{trans._n('Comparing %1 run', 'Comparing %1 runs', names.length)}</h1>
        <span className="jk-Spacer" />
        <Button
          label={trans.__('Only differences')}
          pressed={only}
          onClick={() => setOnly(!only)}
        />
        <Button
          label={trans.__('Copy as code')}
          onClick={() => kubeflow.copyCode(compareCode(names))}
        />
      </div>
      {names.length < 2 && (
        <p className="jk-Quiet">
          {trans.__('Select two to ten runs in the list of runs, then “Compare”.')}{' '}
          <Button label={trans.__('Show all runs')} onClick={() => kubeflow.openRuns()} />
        </p>
      )}
      {fetched.error ? <ErrorLine error={fetched.error} onRetry={fetched.reload} /> : null}
      {fetched.loading && !comparison && <p className="jk-Quiet">{trans.__('Loading…')}</p>}
      {comparison && comparison.runs.length === names.length && (
        <Comparison {...props} comparison={comparison} only={only} />
      )}
    </div>
  );
}

function Comparison(props: {
  comparison: IComparison;
  names: readonly string[];
  onNames: (names: readonly string[]) => void;
  only: boolean;
}): JSX.Element {
  const { comparison, only } = props;
  const { trans, resources, openRun } = useKubeflow();
  const { titles, facts } = words(trans);
  const shown = sections(comparison.rows, only);
  const code = Object.entries(comparison.code).filter(([, diffs]) => diffs.some(Boolean));
  const artifacts = Object.entries(comparison.artifacts);
  return (
    <div className="jk-Compare-body">
      <div className="jk-ScrollX" role="region" aria-label={trans.__('Comparison')} tabIndex={0}>
        <CompareTable
          columns={props.names.map(name => {
            const run = resources.runs.get(name);
            return {
              name,
              state: run?.status.phase,
              created: run?.metadata.creationTimestamp,
              open: () => void openRun(name)
            };
          })}
          sections={shown}
          titles={titles}
          facts={facts}
          onNames={props.onNames}
        />
        {!shown.length && <p className="jk-Quiet">{trans.__('The runs do not differ.')}</p>}
      </div>
      {artifacts.length > 0 && <ArtifactRows artifacts={artifacts} names={comparison.runs} />}
      {code.length > 0 && <CodeRows code={code} names={comparison.runs} />}
    </div>
  );
}

function words(trans: ReturnType<typeof useTrans>): {
  titles: Record<string, string>;
  facts: Record<string, string>;
} {
  return {
    titles: {
      run: trans.__('Run'),
      parameters: trans.__('Parameters'),
      metrics: trans.__('Metrics'),
      states: trans.__('States'),
      seconds: trans.__('Durations'),
      cached: trans.__('Cache'),
      outputs: trans.__('Outputs')
    },
    facts: {
      state: trans.__('State'),
      seconds: trans.__('Duration'),
      python: trans.__('Python'),
      commit: trans.__('Commit'),
      notebook: trans.__('Notebook')
    }
  };
}

function ArtifactRows(props: {
  artifacts: [string, IComparison['artifacts'][string]][];
  names: readonly string[];
}): JSX.Element {
  const trans = useTrans();
  const [open, setOpen] = React.useState(true);
  return (
    <Fold
      title={trans.__('Artifacts')}
      open={open}
      onToggle={setOpen}
      count={props.artifacts.length}
    >
      {props.artifacts.map(([name, found]) => (
        <section key={name} aria-label={name} className="jk-Compare-artifact">
          <h3 dir="auto">{name}</h3>
          <div className="jk-Compare-sideBySide">
            {found.map((artifact, index) => (
              <div key={index}>
                <p className="jk-Muted">{props.names[index]}</p>
                {artifact ? <ArtifactView artifact={artifact} bare /> : <p>–</p>}
              </div>
            ))}
          </div>
        </section>
      ))}
    </Fold>
  );
}

function CodeRows(props: { code: [string, string[]][]; names: readonly string[] }): JSX.Element {
  const trans = useTrans();
  const [open, setOpen] = React.useState(true);
  return (
    <Fold
      title={trans.__('Code')}
      open={open}
      onToggle={setOpen}
      count={trans._n('%1 step differs', '%1 steps differ', props.code.length)}
    >
      {props.code.map(([step, diffs]) => (
        <section key={step} aria-label={step}>
          <h3 dir="auto">{step}</h3>
          {diffs.map((diff, index) =>
            diff ? (
              <div key={index}>
                <p className="jk-Muted">
                  {trans.__('%1 against %2', props.names[index], props.names[0])}
                </p>
                <Diff lines={parseUnified(diff)} />
              </div>
            ) : null
          )}
        </section>
      ))}
    </Fold>
  );
}
