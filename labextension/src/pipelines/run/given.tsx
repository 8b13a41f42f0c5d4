import * as React from 'react';

import { Outline } from '../../graph/outline';
import type { IRun, IStepStatus, Json } from '../../model/types';
import { useFetched, useKubeflow } from '../../ui/context';
import { CopyButton, ErrorLine } from '../../ui/controls';
import { valueText } from './header';

interface IRuntimeArtifact {
  name: string;
  uri: string;
  type?: { schemaTitle?: string };
  metadata?: Record<string, Json>;
}

/** Parameters and artifacts by name. */
export interface IResults {
  parameters: Record<string, Json>;
  artifacts: Record<string, IRuntimeArtifact[]>;
}

/** What a task of a compiled pipeline was given: each parameter and artifact, and where it came from. */
export function Given(props: {
  run: IRun;
  status: IStepStatus;
  /** What is known of it beforehand, where nothing was kept. */
  known?: IResults;
}): JSX.Element {
  const { run, status } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const digest = status.inputDigest;
  const path = digest ? `blobs/${digest}?mime=application/json` : null;
  const fetched = useFetched(path, signal => kubeflow.request<IResults>(path ?? '', { signal }));
  const { error, reload } = fetched;
  const value = props.known ?? fetched.value;
  const origins = Outline.of(run.spec.pipeline.graph)?.tasks[status.parent ?? status.name]?.inputs;
  const from = (name: string) => origins?.[name] || trans.__('written in the pipeline');
  const parameters = Object.entries(value?.parameters ?? {});
  const artifacts = Object.entries(value?.artifacts ?? {});
  return (
    <section aria-label={trans.__('Inputs')}>
      <h3>{trans.__('Inputs')}</h3>
      {error ? <ErrorLine error={error} onRetry={reload} /> : null}
      {!digest && !props.known && (
        <p className="jk-Quiet">{trans.__('Nothing yet: the step has not run.')}</p>
      )}
      {value && !parameters.length && !artifacts.length && (
        <p className="jk-Quiet">
          {digest
            ? trans.__('It takes no inputs.')
            : trans.__('No parameter is known before it runs.')}
        </p>
      )}
      <ul className="jk-Plain" aria-label={trans.__('Inputs')}>
        {parameters.map(([name, given]) => (
          <Line key={name} name={name} from={from(name)} text={valueText(given)} />
        ))}
        {artifacts.flatMap(([name, listed]) =>
          listed.map((one, at) => (
            <Line
              key={`${name}-${at}`}
              name={listed.length > 1 ? `${name}[${at}]` : name}
              type={one.type?.schemaTitle?.split('.').pop()}
              from={from(name)}
              text={one.uri}
              metadata={one.metadata}
            />
          ))
        )}
      </ul>
    </section>
  );
}

function Line(props: {
  name: string;
  type?: string;
  from: string;
  text: string;
  metadata?: Record<string, Json>;
}): JSX.Element {
  const { trans } = useKubeflow();
  const facts = Object.entries(props.metadata ?? {});
  return (
    <li className="jk-Value">
      <div className="jk-Value-line">
        <span className="jk-Value-head jk-mod-still">
          <code className="jk-Value-name" dir="auto" title={props.name}>
            {props.name}
          </code>
          <span className="jk-Value-type">{props.type}</span>
          <span className="jk-Value-summary" dir="auto" title={props.text}>
            {props.text}
          </span>
          <span className="jk-Value-size" title={trans.__('Where it came from')}>
            {props.from}
          </span>
        </span>
        <CopyButton text={props.text} label={trans.__('Copy %1', props.name)} />
      </div>
      {facts.length > 0 && (
        <dl className="jk-Facts">
          {facts.map(([name, value]) => (
            <React.Fragment key={name}>
              <dt dir="auto">{name}</dt>
              <dd dir="auto">{valueText(value)}</dd>
            </React.Fragment>
          ))}
        </dl>
      )}
    </li>
  );
}
