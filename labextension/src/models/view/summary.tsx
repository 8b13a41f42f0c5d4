import * as React from 'react';

import { bytes, exact, number } from '../../format';
import type { Json } from '../../model/types';
import { useKubeflow } from '../../ui/context';
import { CopyButton } from '../../ui/controls';
import { Facts } from '../../ui/facts';
import { Highlighted } from '../../ui/highlight';
import { modelCode, originOf } from '../model/model';
import type { IVersion, IVersionDetail } from '../model/types';
import { Danger } from './danger';
import { Origin } from './origin';
import { Stage } from './versions';

/** What is known of one version, in the order in which people ask. */
export function Summary(props: { version: IVersion; detail: IVersionDetail | null }): JSX.Element {
  const { version, detail } = props;
  const { trans } = useKubeflow();
  const metrics = Object.entries(version.metrics ?? {});
  const parameters = Object.entries(version.parameters ?? {});
  const properties = Object.entries(version.properties ?? {}).filter(
    ([name]) => !(name in (version.metrics ?? {})) && !(name in (version.parameters ?? {}))
  );
  return (
    <div className="jk-Summary">
      {version.description && <p dir="auto">{version.description}</p>}
      {metrics.length > 0 && (
        <Part title={trans.__('Metrics')}>
          <Facts rows={metrics.map(([name, value]) => [name, number(value)])} />
        </Part>
      )}
      <Part title={trans.__('Files')}>
        <Files version={version} detail={detail} />
      </Part>
      <Part title={trans.__('Where it comes from')}>
        <Comes version={version} />
      </Part>
      {Boolean(detail?.data?.length) && (
        <Part title={trans.__('Data')}>
          <Data detail={detail!} />
        </Part>
      )}
      {parameters.length > 0 && (
        <Part title={trans.__('Parameters')}>
          <Facts rows={parameters.map(([name, value]) => [name, written(value)])} />
        </Part>
      )}
      {properties.length > 0 && (
        <Part title={trans.__('Properties')}>
          <Facts rows={properties.map(([name, value]) => [name, written(value)])} />
        </Part>
      )}
      <Code version={version} detail={detail} />
    </div>
  );
}

function written(value: Json): string {
  return typeof value === 'number'
    ? number(value)
    : typeof value === 'string'
      ? value
      : JSON.stringify(value);
}

export function Part(props: { title: string; children: React.ReactNode }): JSX.Element {
  return (
    <section aria-label={props.title}>
      <h3 className="jk-SmallTitle">{props.title}</h3>
      {props.children}
    </section>
  );
}

function Files(props: { version: IVersion; detail: IVersionDetail | null }): JSX.Element {
  const { version, detail } = props;
  const { trans } = useKubeflow();
  const files = detail?.files ?? [];
  return (
    <>
      <dl className="jk-Facts">
        <dt>{trans.__('Stage')}</dt>
        <dd>
          <Stage item={version} />
        </dd>
        <dt>{trans.__('Format')}</dt>
        <dd>
          {version.format || trans.__('unknown')} {version.formatVersion}{' '}
          <Danger danger={version.danger} trusted={version.trusted} />
        </dd>
        <dt>{trans.__('Size')}</dt>
        <dd>{bytes(version.bytes)}</dd>
        {version.uri && (
          <>
            <dt>{trans.__('Address')}</dt>
            <dd className="jk-Copied jk-mod-line">
              <code className="jk-Ellipsis" title={version.uri} dir="auto">
                {version.uri}
              </code>
              <CopyButton text={version.uri} label={trans.__('Copy address')} />
            </dd>
          </>
        )}
      </dl>
      {files.length > 0 && (
        <details className="jk-Fileslist">
          <summary>{trans._n('%1 file', '%1 files', files.length)}</summary>
          <ul className="jk-Plain">
            {files.map(file => (
              <li key={file.name}>
                <code dir="auto">{file.name}</code>{' '}
                <span className="jk-Muted">{bytes(file.size)}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function Comes(props: { version: IVersion }): JSX.Element {
  const { version } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { notebook, commit, branch, python, execution } = version.lineage ?? {};
  const rows: [string, React.ReactNode][] = originOf(version)
    ? [[trans.__('Made by'), <Origin version={version} />]]
    : [];
  if (notebook) {
    rows.push([
      trans.__('Notebook'),
      execution ? trans.__('%1, cell [%2]', notebook, execution) : notebook
    ]);
  }
  if (commit) {
    rows.push([
      trans.__('Commit'),
      <span className="jk-Copied">
        <code>{commit.slice(0, 12)}</code> {branch}
        <CopyButton text={commit} label={trans.__('Copy commit')} />
      </span>
    ]);
  }
  if (python) {
    rows.push([trans.__('Python'), python]);
  }
  rows.push([
    trans.__('Registered'),
    version.author
      ? trans.__('%1, by %2', exact(version.created), version.author)
      : exact(version.created)
  ]);
  return (
    <dl className="jk-Facts">
      {rows.map(([name, value]) => (
        <React.Fragment key={name}>
          <dt>{name}</dt>
          <dd dir="auto">{value}</dd>
        </React.Fragment>
      ))}
    </dl>
  );
}

function Data(props: { detail: IVersionDetail }): JSX.Element {
  const { trans } = useKubeflow();
  return (
    <ul className="jk-Plain">
      {(props.detail.data ?? []).map(set => {
        const columns = Object.keys(set.columns ?? {}).length;
        const facts = [
          set.type,
          set.rows !== undefined && trans._n('%1 row', '%1 rows', set.rows),
          columns > 0 && trans._n('%1 column', '%1 columns', columns),
          set.digest?.replace(/^b3:/, '').slice(0, 8)
        ].filter(Boolean);
        return (
          <li key={set.name} className="jk-DataSet">
            <b dir="auto">{set.name}</b> <span className="jk-Muted">{facts.join(' · ')}</span>
            {set.uri && (
              <div className="jk-Muted jk-Ellipsis" title={set.uri} dir="auto">
                {set.uri}
              </div>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function Code(props: { version: IVersion; detail: IVersionDetail | null }): JSX.Element {
  const { version, detail } = props;
  const { trans } = useKubeflow();
  const code = detail?.code?.python ?? modelCode(version.model, version.version);
  return (
    <Part title={trans.__('In Python')}>
      <div className="jk-Code">
        <Highlighted code={code} />
        <CopyButton text={code} label={trans.__('Copy code')} />
      </div>
    </Part>
  );
}
