import * as React from 'react';

import { duration, number } from '../../format';
import { compareCode } from '../../model/actions';
import type { IComparison, ICompareRow } from '../../model/comparison';
import { deltas, extremes, sections, shares } from '../../model/comparison';
import { parseUnified } from '../../model/diff';
import type { Json } from '../../model/types';
import { useFetched, useKubeflow, useSignal, useTrans } from '../../ui/context';
import { Button, ErrorLine, Fold } from '../../ui/controls';
import { StateBadge } from '../../ui/state';
import { RelativeTime } from '../../ui/time';
import { Diff } from '../run/code';
import { valueText } from '../run/header';
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
  const trans = useTrans();
  const shown = sections(comparison.rows, only);
  const code = Object.entries(comparison.code).filter(([, diffs]) => diffs.some(Boolean));
  const artifacts = Object.entries(comparison.artifacts);
  return (
    <div className="jk-Compare-body">
      <div className="jk-ScrollX" role="region" aria-label={trans.__('Comparison')} tabIndex={0}>
        <table className="jk-Compare-table">
          <ColumnHeads names={props.names} onNames={props.onNames} />
          {shown.map(section => (
            <tbody key={section.name}>
              <tr className="jk-Compare-section">
                <th scope="rowgroup" colSpan={props.names.length + 1}>
                  {sectionTitle(section.name, trans)}
                  <span className="jk-Count">
                    {trans._n('%1 difference', '%1 differences', section.differing)}
                  </span>
                </th>
              </tr>
              {section.rows.map(row => (
                <CompareRow key={row.name} row={row} />
              ))}
            </tbody>
          ))}
        </table>
        {!shown.length && <p className="jk-Quiet">{trans.__('The runs do not differ.')}</p>}
      </div>
      {artifacts.length > 0 && <ArtifactRows artifacts={artifacts} names={comparison.runs} />}
      {code.length > 0 && <CodeRows code={code} names={comparison.runs} />}
    </div>
  );
}

function ColumnHeads(props: {
  names: readonly string[];
  onNames: (names: readonly string[]) => void;
}): JSX.Element {
  const kubeflow = useKubeflow();
  const { trans, resources } = kubeflow;
  return (
    <thead>
      <tr>
        <th scope="col">
          <span className="jk-visuallyHidden">{trans.__('What')}</span>
        </th>
        {props.names.map((name, index) => {
          const run = resources.runs.get(name);
          return (
            <th key={name} scope="col">
              <div className="jk-Compare-column">
                <button
                  type="button"
                  className="jk-Link jk-Ellipsis"
                  title={name}
                  onClick={() => void kubeflow.openRun(name)}
                >
                  {name}
                </button>
                {props.names.length > 2 && (
                  <button
                    type="button"
                    className="jk-Button jk-mod-icon"
                    aria-label={trans.__('Leave out %1', name)}
                    title={trans.__('Leave out')}
                    onClick={() => props.onNames(props.names.filter(each => each !== name))}
                  >
                    ✕
                  </button>
                )}
              </div>
              <div className="jk-Compare-sub">
                {run && <StateBadge state={run.status.phase} />}
                {run && <RelativeTime time={run.metadata.creationTimestamp} />}
                {index === 0 && <span className="jk-Muted">{trans.__('reference')}</span>}
              </div>
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

function sectionTitle(name: string, trans: ReturnType<typeof useTrans>): string {
  const titles: Record<string, string> = {
    run: trans.__('Run'),
    parameters: trans.__('Parameters'),
    metrics: trans.__('Metrics'),
    states: trans.__('States'),
    seconds: trans.__('Durations'),
    cached: trans.__('Cache'),
    outputs: trans.__('Outputs')
  };
  return titles[name] ?? name;
}

function CompareRow(props: { row: ICompareRow }): JSX.Element {
  const { row } = props;
  const trans = useTrans();
  const bars = row.section === 'metrics' || row.section === 'seconds';
  const lengths = bars ? shares(row.values) : [];
  const away = bars ? deltas(row.values) : [];
  const ends = row.section === 'metrics' ? extremes(row.values) : null;
  return (
    <tr className={row.differs ? 'jk-mod-differs' : undefined}>
      <th scope="row" dir="auto" title={row.name}>
        {row.section === 'run' ? factTitle(row.name, trans) : row.name}
        {row.differs && <span className="jk-visuallyHidden"> ({trans.__('differs')})</span>}
      </th>
      {row.values.map((value, index) => (
        <td key={index} className={bars ? 'jk-Number' : undefined}>
          <Cell row={row} value={value} />
          <Delta row={row} value={away[index]} />
          {ends?.most.includes(index) && (
            <span className="jk-Compare-mark" title={trans.__('Highest')}>
              ▲<span className="jk-visuallyHidden"> {trans.__('highest')}</span>
            </span>
          )}
          {ends?.least.includes(index) && (
            <span className="jk-Compare-mark" title={trans.__('Lowest')}>
              ▼<span className="jk-visuallyHidden"> {trans.__('lowest')}</span>
            </span>
          )}
          {bars && (
            <span className="jk-Compare-bar" aria-hidden="true">
              <i style={{ width: `${100 * (lengths[index] ?? 0)}%` }} />
            </span>
          )}
        </td>
      ))}
    </tr>
  );
}

function factTitle(name: string, trans: ReturnType<typeof useTrans>): string {
  const titles: Record<string, string> = {
    state: trans.__('State'),
    seconds: trans.__('Duration'),
    python: trans.__('Python'),
    commit: trans.__('Commit'),
    notebook: trans.__('Notebook')
  };
  return titles[name] ?? name;
}

/** Against the first run, with its sign. */
function Delta(props: { row: ICompareRow; value: number | null | undefined }): JSX.Element | null {
  const { row, value } = props;
  if (value === null || value === undefined) {
    return null;
  }
  const size = Math.abs(value);
  const text = row.section === 'seconds' ? duration(size) : number(size);
  return (
    <span className="jk-Compare-delta">
      {value > 0 ? '+' : '−'}
      {text}
    </span>
  );
}

function Cell(props: { row: ICompareRow; value: Json }): JSX.Element {
  const { row, value } = props;
  const trans = useTrans();
  if (value === null || value === undefined) {
    return <span className="jk-Muted">–</span>;
  }
  if (row.section === 'states' || (row.section === 'run' && row.name === 'state')) {
    return <StateBadge state={String(value)} />;
  }
  if (row.section === 'seconds' || (row.section === 'run' && row.name === 'seconds')) {
    return <>{duration(Number(value))}</>;
  }
  if (row.section === 'cached') {
    return <>{value ? trans.__('From cache') : trans.__('Ran')}</>;
  }
  if (typeof value === 'number') {
    return <span title={String(value)}>{number(value)}</span>;
  }
  if (row.section === 'outputs' && Array.isArray(value)) {
    return (
      <span dir="auto" title={value.map(String).join('\n')}>
        {String(value[0] ?? '')} <code className="jk-Muted">{digest(value[1])}</code>
      </span>
    );
  }
  const text = valueText(value);
  return row.section === 'run' && row.name === 'notebook' ? (
    <code title={text}>{digest(text)}</code>
  ) : (
    <span dir="auto" title={text}>
      {text}
    </span>
  );
}

function digest(value: Json): string {
  return String(value ?? '')
    .replace(/^b3:/, '')
    .slice(0, 8);
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
