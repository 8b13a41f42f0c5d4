import * as React from 'react';

import type { IArtifact, IRun, IStep, IStepStatus, IValueRef, Json } from '../../model/types';
import { isCompiled, isElsewhere } from '../../model/actions';
import { looksLikeModel } from '../../model/values';
import { CommandIDs } from '../../tokens';
import { useFetched, useKubeflow } from '../../ui/context';
import { Chevron, CopyButton, ErrorLine } from '../../ui/controls';
import { Numbers } from '../../ui/facts';
import type { IResults } from './given';
import { Given } from './given';
import { Outputs } from './outputs';
import type { IDisplayed, IPreview, ITableData } from './preview';
import { Displayed, HtmlFrame, Preview, sizeNote, TablePreview } from './preview';

interface IValue {
  name: string;
  /** The step that left it. */
  step: string;
  type?: string;
  summary?: string;
  bytes?: number;
  inline?: Json;
}

function valuesOf(step: string, refs: readonly IValueRef[]): IValue[] {
  return refs.flatMap(ref =>
    ref.names.map(name => ({
      name,
      step,
      type: ref.types?.[name],
      summary: ref.summary?.[name],
      bytes: ref.names.length === 1 ? ref.bytes : undefined,
      inline: ref.inline?.[name]
    }))
  );
}

interface IProps {
  run: IRun;
  status: IStepStatus;
  step: IStep | null;
}

/** What a step of a run elsewhere was given and left: asked for when somebody looks. */
type Left = Pick<IStepStatus, 'used' | 'outputs' | 'metrics'> & { given?: IResults };

/** Inputs with the step each came from; what the step left; what its cells displayed. */
export function StepValues(props: IProps): JSX.Element {
  return isElsewhere(props.run) && props.status.startedAt ? (
    <ValuesElsewhere {...props} />
  ) : (
    <Values {...props} />
  );
}

function ValuesElsewhere(props: IProps): JSX.Element {
  const { run, status } = props;
  const kubeflow = useKubeflow();
  const name = status.parent ?? status.name;
  const path = ['runs', run.metadata.name, 'values', name].map(encodeURIComponent).join('/');
  const { value, error, reload } = useFetched(`${path} ${status.state}`, signal =>
    kubeflow.request<Left>(path, { signal })
  );
  if (error) {
    return <ErrorLine error={error} onRetry={reload} />;
  }
  if (!value) {
    return <p className="jk-Quiet">{kubeflow.trans.__('Loading…')}</p>;
  }
  const { given, ...left } = value;
  return <Values {...props} status={{ ...status, ...left, name }} given={given} />;
}

function Values(props: IProps & { given?: IResults }): JSX.Element {
  const { run, status } = props;
  const { trans } = useKubeflow();
  const inputs = findInputs(run, status, props.step);
  const outputs = valuesOf(status.name, status.outputs ?? []);
  const live = Object.entries(status.live ?? {});
  const shows = status.startedAt || status.cached;
  return (
    <div className="jk-Values">
      {isCompiled(run) && (props.given || !isElsewhere(run) || !status.used) ? (
        <Given run={run} status={status} known={props.given} />
      ) : (
        <ValueSection
          title={trans.__('Inputs')}
          run={run}
          values={inputs}
          own={status.name}
          empty={trans.__('It needs nothing from other steps.')}
        />
      )}
      <ValueSection
        title={trans.__('Outputs')}
        run={run}
        values={outputs}
        own={status.name}
        empty={
          shows ? trans.__('It left no values.') : trans.__('Nothing yet: the step has not run.')
        }
      />
      {isElsewhere(run) && Object.keys(status.metrics ?? {}).length > 0 && (
        <section aria-label={trans.__('Metrics')}>
          <h3>{trans.__('Metrics')}</h3>
          <Numbers rows={Object.entries(status.metrics ?? {})} />
        </section>
      )}
      {live.length > 0 && (
        <section aria-label={trans.__('Not kept')}>
          <h3>{trans.__('Not kept')}</h3>
          <ul className="jk-Plain">
            {live.map(([name, value]) => (
              <li key={name}>
                <code>{name}</code> {value.type} <span className="jk-Muted">{value.reason}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
      {Boolean(status.artifacts?.length) && (
        <section aria-label={trans.__('Artifacts')}>
          <h3>{trans.__('Artifacts')}</h3>
          {status.artifacts!.map((artifact, index) => (
            <ArtifactView key={index} artifact={artifact} />
          ))}
        </section>
      )}
      {shows && (!isCompiled(run) || status.outputsDigest) && (
        <section aria-label={trans.__('Displayed by the cells')}>
          <h3>{trans.__('Displayed by the cells')}</h3>
          <Outputs
            run={run.metadata.name}
            step={status.name}
            version={status.outputsDigest ?? String(status.finishedAt ?? status.attempt)}
          />
        </section>
      )}
    </div>
  );
}

function findInputs(run: IRun, status: IStepStatus, step: IStep | null): IValue[] {
  const used = status.used ?? {};
  const names = Object.keys(used).length ? Object.keys(used) : (step?.reads ?? []);
  const statuses = run.status.steps ?? [];
  const before = statuses.slice(
    0,
    Math.max(
      0,
      statuses.findIndex(other => other.name === status.name)
    )
  );
  return names
    .filter(name => name !== '*')
    .map(name => {
      const named = statuses.find(other => other.name === used[name]);
      const source =
        named ??
        [...before].reverse().find(other => other.outputs?.some(ref => ref.names.includes(name)));
      const found =
        source && valuesOf(source.name, source.outputs ?? []).find(value => value.name === name);
      return found ?? { name, step: used[name] ?? source?.name ?? '' };
    });
}

/** Imports and definitions: rarely what somebody looks for, so they do not stand in the way. */
function isCode(value: IValue): boolean {
  return ['module', 'function', 'type', 'builtin_function_or_method'].includes(value.type ?? '');
}

function ValueSection(props: {
  title: string;
  run: IRun;
  values: IValue[];
  own: string;
  empty: string;
}): JSX.Element {
  const { trans } = useKubeflow();
  const data = props.values.filter(value => !isCode(value));
  const code = props.values.filter(isCode);
  const rows = (values: IValue[]) =>
    values.map(value => <Value key={value.name} run={props.run} value={value} own={props.own} />);
  return (
    <section aria-label={props.title}>
      <h3>{props.title}</h3>
      {data.length > 0 && (
        <ul className="jk-Plain" aria-label={props.title}>
          {rows(data)}
        </ul>
      )}
      {code.length > 0 && (
        <details className="jk-Values-code">
          <summary>
            {trans._n(
              '%1 module, function or class',
              '%1 modules, functions and classes',
              code.length
            )}
          </summary>
          <ul className="jk-Plain">{rows(code)}</ul>
        </details>
      )}
      {!props.values.length && <p className="jk-Quiet">{props.empty}</p>}
    </section>
  );
}

function Value(props: { run: IRun; value: IValue; own: string }): JSX.Element {
  const { run, value } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [open, setOpen] = React.useState(false);
  const id = React.useId();
  const plain =
    value.inline !== undefined && value.inline !== null && typeof value.inline !== 'object';
  const canOpen = Boolean(value.step) && !plain;
  const made = { kind: 'Run', name: run.metadata.name, step: value.step, value: value.name };
  const row = (
    <>
      <code className="jk-Value-name" dir="auto">
        {value.name}
      </code>
      <span className="jk-Value-type" title={value.type}>
        {value.type?.split('.').pop()}
      </span>
      <span className="jk-Value-summary" dir="auto" title={value.summary}>
        {plain ? String(value.inline) : value.summary}
      </span>
      <span className="jk-Value-size">{sizeNote(value.bytes)}</span>
    </>
  );
  return (
    <li className="jk-Value">
      <div className="jk-Value-line">
        {canOpen ? (
          <button
            type="button"
            className="jk-Value-head"
            aria-expanded={open}
            aria-controls={id}
            onClick={() => setOpen(!open)}
          >
            <Chevron open={open} />
            {row}
          </button>
        ) : (
          <span className="jk-Value-head jk-mod-still">{row}</span>
        )}
        {typeof value.inline === 'string' && value.inline.includes('://') && (
          <CopyButton text={value.inline} label={trans.__('Copy %1', value.name)} />
        )}
        {value.step && looksLikeModel(value.type) && (
          <button
            type="button"
            className="jk-Link"
            aria-label={trans.__('Register %1 as model…', value.name)}
            title={kubeflow.whyNot(CommandIDs.registerMade, made) ?? undefined}
            onClick={() => void kubeflow.execute(CommandIDs.registerMade, made)}
          >
            {trans.__('Register…')}
          </button>
        )}
        {value.step && value.step !== props.own && (
          <button
            type="button"
            className="jk-Link"
            title={trans.__('Left by step “%1”', value.step)}
            onClick={() => void kubeflow.openRun(run.metadata.name, value.step, 'values')}
          >
            {value.step}
          </button>
        )}
      </div>
      <div id={id} hidden={!open}>
        {open && <ValuePreview run={run.metadata.name} value={value} />}
      </div>
    </li>
  );
}

function ValuePreview(props: { run: string; value: IValue }): JSX.Element {
  const { value } = props;
  const kubeflow = useKubeflow();
  const path = ['runs', props.run, 'values', value.step, value.name]
    .map(encodeURIComponent)
    .join('/');
  const fetched = useFetched(path, signal => kubeflow.request<IPreview>(path, { signal }));
  if (fetched.error) {
    return <ErrorLine error={fetched.error} onRetry={fetched.reload} />;
  }
  if (!fetched.value) {
    return <p className="jk-Quiet">{kubeflow.trans.__('Loading…')}</p>;
  }
  return (
    <div className="jk-Value-preview">
      <Preview preview={fetched.value} />
    </div>
  );
}

/** An artifact in place: images, tables, charts and pages; anything else as a download. */
export function ArtifactView(props: { artifact: IArtifact; bare?: boolean }): JSX.Element {
  const { artifact } = props;
  const { trans, url } = useKubeflow();
  const digest = artifact.digest ?? '';
  const href = (mime: string) => url(`blobs/${digest}?mime=${encodeURIComponent(mime)}`);
  const mime = artifact.mime ?? 'application/octet-stream';
  return (
    <figure className="jk-Artifact" aria-label={artifact.name}>
      {!props.bare && (
        <figcaption>
          <span dir="auto">{artifact.name}</span>
          {artifact.cell && <span className="jk-Muted">{trans.__('cell %1', artifact.cell)}</span>}
          {digest && (
            <a
              href={`${href('application/octet-stream')}&name=${encodeURIComponent(artifact.name)}`}
              download={artifact.name}
            >
              {trans.__('Download')}
            </a>
          )}
        </figcaption>
      )}
      {mime.startsWith('image/') ? (
        <img className="jk-Preview-image" src={href(mime)} alt={artifact.name} loading="lazy" />
      ) : mime.endsWith('json') ? (
        <JsonArtifact digest={digest} type={artifact.type} />
      ) : mime.startsWith('text/') ? (
        <TextArtifact digest={digest} mime={mime} name={artifact.name} />
      ) : null}
    </figure>
  );
}

function JsonArtifact(props: { digest: string; type?: string }): JSX.Element {
  const kubeflow = useKubeflow();
  const path = `blobs/${props.digest}?mime=application/json`;
  const { value, error } = useFetched(path, signal => kubeflow.request<unknown>(path, { signal }));
  if (error) {
    return <ErrorLine error={error} />;
  }
  if (value === null) {
    return <p className="jk-Quiet">{kubeflow.trans.__('Loading…')}</p>;
  }
  const data = value as Partial<IDisplayed & ITableData>;
  if (data.matrix || data.fpr || data.values) {
    // Its name stands above it already.
    return <Displayed data={{ type: props.type ?? '', ...data, name: undefined } as IDisplayed} />;
  }
  if (Array.isArray(data.columns) && Array.isArray(data.rows)) {
    return <TablePreview data={data as ITableData} />;
  }
  return <Preview preview={{ kind: 'json', data: value }} />;
}

function TextArtifact(props: { digest: string; mime: string; name: string }): JSX.Element {
  const kubeflow = useKubeflow();
  const path = `blobs/${props.digest}?mime=text/plain`;
  const { value, error } = useFetched(path, signal => kubeflow.text(path, signal));
  if (error) {
    return <ErrorLine error={error} />;
  }
  if (value === null) {
    return <p className="jk-Quiet">{kubeflow.trans.__('Loading…')}</p>;
  }
  return props.mime === 'text/html' ? (
    <HtmlFrame html={value} label={props.name} />
  ) : (
    <Preview preview={{ kind: 'text', data: { text: value.slice(0, 100_000) } }} />
  );
}
