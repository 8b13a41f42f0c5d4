import * as React from 'react';

import { bytes, duration, elapsed, exact, number } from '../../format';
import { Outline } from '../../graph/outline';
import { isCompiled } from '../../model/actions';
import { isFinished } from '../../model/states';
import { KINDS } from '../../model/kinds';
import { keyOf, newestFirst, splitKey } from '../../model/merge';
import type { IRun, IStep, IStepStatus, IWork } from '../../model/types';
import { CommandIDs } from '../../tokens';
import { useKubeflow, useNow } from '../../ui/context';
import { Button } from '../../ui/controls';
import { Numbers } from '../../ui/facts';
import { useFound } from '../../ui/resources';
import { StateBadge } from '../../ui/state';
import { Elapsed } from '../../ui/time';
import { canOpen, Place } from './banner';

/** How a step stands and how it got there. */
export function StepSummary(props: {
  run: IRun;
  status: IStepStatus;
  step: IStep | null;
}): JSX.Element {
  const { run, status, step } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const path = run.spec.pipeline?.path;
  return (
    <div className="jk-Summary">
      <div className="jk-Summary-state">
        {isFinished(run.status.phase) && status.state === 'PENDING' ? (
          <p className="jk-Muted">
            {trans.__('Not run: the run ended before it came to this step.')}
          </p>
        ) : (
          <StateBadge state={status.state} cached={status.cached} />
        )}
        {status.reason && <p dir="auto">{status.reason}</p>}
      </div>
      {status.error && (
        <div className="jk-StepError">
          <p dir="auto">
            {status.error.type && <strong>{status.error.type}: </strong>}
            {status.error.message}
          </p>
          <p className="jk-Muted">
            <Place error={status.error} step={status.name} />
          </p>
        </div>
      )}
      <About run={run} status={status} />
      <Times status={status} />
      <Cache run={run} status={status} />
      <Resources status={status} step={step} />
      <Metrics status={status} />
      <Started run={run} status={status} />
      <div className="jk-Summary-actions">
        {path && step?.cells?.[0] && (
          <Button
            label={trans.__('Go to cell')}
            onClick={() =>
              kubeflow.goToCell(path, { id: step.cells[0].id, index: step.cells[0].index })
            }
          />
        )}
        {!isCompiled(run) && (
          <Button
            label={trans.__('Rerun from here')}
            onClick={() =>
              kubeflow.execute(CommandIDs.rerunRun, {
                name: run.metadata.name,
                from: status.parent ?? status.name,
                show: true
              })
            }
          />
        )}
        {(!isCompiled(run) || canOpen(run, status.name)) && (
          <Button
            label={trans.__('Open here')}
            title={trans.__('A live kernel with everything this step was given')}
            onClick={() => kubeflow.openHere(run.metadata.name, status.name)}
          />
        )}
      </div>
    </div>
  );
}

/** What a step of a compiled pipeline is, where that says something. */
function About(props: { run: IRun; status: IStepStatus }): JSX.Element | null {
  const { trans } = useKubeflow();
  const graph = props.run.spec.pipeline?.graph;
  const name = props.status.parent ?? props.status.name;
  const task = Outline.of(graph)?.tasks[name];
  if (!task) {
    return null;
  }
  const step = graph?.steps.find(each => each.name === name);
  const kinds = {
    python: trans.__('Python component'),
    container: trans.__('Container component'),
    importer: trans.__('Importer of an artifact')
  };
  const rows: [string, string][] = [[trans.__('Kind'), kinds[task.kind]]];
  if (task.group) {
    rows.push([trans.__('In'), task.group.replace(/\/$/, '')]);
  }
  if (task.condition) {
    rows.push([trans.__('Runs if'), task.condition]);
  }
  if (task.always) {
    rows.push([trans.__('Exit task'), trans.__('runs whatever happened to what it waits for')]);
  }
  if (step?.image) {
    rows.push([trans.__('Image'), step.image]);
  }
  if (step?.retry) {
    rows.push([trans.__('Retries'), String(step.retry)]);
  }
  return (
    <section aria-label={trans.__('Component')}>
      <h3>{trans.__('Component')}</h3>
      <dl className="jk-Facts">
        {rows.map(([word, text]) => (
          <React.Fragment key={word}>
            <dt>{word}</dt>
            <dd dir="auto">{text}</dd>
          </React.Fragment>
        ))}
      </dl>
    </section>
  );
}

/** What the step started itself: training jobs, experiments. */
function Started(props: { run: IRun; status: IStepStatus }): JSX.Element | null {
  const { run, status } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const keys = useFound(
    KINDS.map(({ kind }) => kind),
    lists =>
      newestFirst(
        lists.map(list => list.items.filter(item => isInside(item, run, status.name)))
      ).map(keyOf)
  );
  if (!keys.length) {
    return null;
  }
  return (
    <section aria-label={trans.__('Started here')}>
      <h3>{trans.__('Started here')}</h3>
      <ul className="jk-Plain">
        {keys.map(splitKey).map(({ kind, name }) => (
          <li key={name}>
            <button
              type="button"
              className="jk-Link"
              onClick={() => void kubeflow.open(kind, name)}
            >
              {name}
            </button>{' '}
            <StateBadge state={kubeflow.resources.list(kind).get(name)?.status.phase} />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Whoever starts something inside a step notes the holder of the step's resources: `UID/STEP`. */
function isInside(item: IWork, run: IRun, step: string): boolean {
  const place = item.metadata.annotations?.['jupyter-kubeflow.org/inside'];
  return place === `${run.metadata.uid}/${step}`;
}

function Times(props: { status: IStepStatus }): JSX.Element {
  const { status } = props;
  const { trans } = useKubeflow();
  const now = useNow(Boolean(status.queuedAt) && !status.startedAt && status.state === 'PENDING');
  const waited = elapsed(status.queuedAt, status.startedAt, now);
  return (
    <section aria-label={trans.__('Times')}>
      <h3>{trans.__('Times')}</h3>
      <dl className="jk-Facts">
        <dt>{trans.__('Waited')}</dt>
        <dd title={exact(status.queuedAt)}>{status.queuedAt ? duration(waited) : '–'}</dd>
        <dt>{trans.__('Ran')}</dt>
        <dd>
          {status.startedAt ? (
            <Elapsed start={status.startedAt} end={status.finishedAt} seconds={status.seconds} />
          ) : (
            '–'
          )}
        </dd>
        <dt>{trans.__('Started')}</dt>
        <dd>{exact(status.startedAt) || '–'}</dd>
        <dt>{trans.__('Finished')}</dt>
        <dd>{exact(status.finishedAt) || '–'}</dd>
        <dt>{trans.__('Attempts')}</dt>
        <dd>{status.attempt ?? (status.startedAt ? 1 : 0)}</dd>
      </dl>
    </section>
  );
}

function Cache(props: { run: IRun; status: IStepStatus }): JSX.Element | null {
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { cache, cached } = props.status;
  if (!cache && !cached) {
    return null;
  }
  const from = cache?.from;
  return (
    <section aria-label={trans.__('Cache')}>
      <h3>{trans.__('Cache')}</h3>
      <p dir="auto">
        {cache?.text ||
          (cached
            ? trans.__('Taken from an earlier run; nothing was run.')
            : cache?.differs?.length
              ? trans.__('Run, because it differs from before: %1.', cache.differs.join(', '))
              : trans.__('Run; there was no earlier result.'))}{' '}
        {from && from !== props.run.metadata.name && (
          <button
            type="button"
            className="jk-Link"
            onClick={() => void kubeflow.openRun(from, props.status.name)}
          >
            {from}
          </button>
        )}
      </p>
    </section>
  );
}

function Resources(props: { status: IStepStatus; step: IStep | null }): JSX.Element | null {
  const { trans } = useKubeflow();
  const asked = { ...props.step?.resources, ...props.status.resources?.asked };
  const used = props.status.resources?.used;
  const seconds = props.status.seconds;
  if (!Object.keys(asked).length && !used) {
    return null;
  }
  const cores =
    used?.cpuSeconds !== undefined && seconds ? used.cpuSeconds / Math.max(seconds, 1e-3) : null;
  const others = Object.entries(asked).filter(([name]) => name !== 'cpu' && name !== 'memory');
  return (
    <section aria-label={trans.__('Resources')}>
      <h3>{trans.__('Resources')}</h3>
      <table className="jk-Table">
        <thead>
          <tr>
            <td />
            <th scope="col">{trans.__('Asked')}</th>
            <th scope="col">{trans.__('Used')}</th>
          </tr>
        </thead>
        <tbody>
          <tr>
            <th scope="row">{trans.__('CPU')}</th>
            <td>{asked.cpu ?? '–'}</td>
            <td>
              {used?.cpuSeconds !== undefined
                ? trans.__('%1 CPU time', duration(used.cpuSeconds))
                : '–'}
              {cores !== null && <span className="jk-Muted"> ⌀ {number(cores)}</span>}
            </td>
          </tr>
          <tr>
            <th scope="row">{trans.__('Memory')}</th>
            <td>{asked.memory ?? '–'}</td>
            <td>{used?.maxRss ? trans.__('%1 at most', bytes(used.maxRss)) : '–'}</td>
          </tr>
          {others.map(([name, amount]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{amount}</td>
              <td>–</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Metrics(props: { status: IStepStatus }): JSX.Element | null {
  const { trans } = useKubeflow();
  const metrics = Object.entries(props.status.metrics ?? {});
  if (!metrics.length) {
    return null;
  }
  return (
    <section aria-label={trans.__('Metrics')}>
      <h3>{trans.__('Metrics')}</h3>
      <Numbers rows={metrics} />
    </section>
  );
}
