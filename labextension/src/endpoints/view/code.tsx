import * as React from 'react';

import type { ICodeForm } from '../../ui/codeforms';
import { CodeForms, formsOf, ResourceCode } from '../../ui/codeforms';
import { useKubeflow } from '../../ui/context';
import { ErrorLine } from '../../ui/controls';
import { ask } from '../commands';
import type { IEndpointCode } from '../model/types';
import { usePolled } from '../../ui/polled';
import type { IPaneProps } from './view';
import { modelsKey } from './view';

/** The endpoint as Python, magic, command and YAML, and a request from elsewhere. */
export function CodePane(props: IPaneProps): JSX.Element {
  const { item } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { value, error, reload } = usePolled(
    `${modelsKey(item)}@${item.metadata.resourceVersion}`,
    0,
    signal => ask<IEndpointCode>(kubeflow, item.metadata.name, 'code', {}, signal)
  );
  if (!value) {
    return error ? (
      <ErrorLine error={error} onRetry={reload} />
    ) : (
      <p className="jk-Quiet">{trans.__('Loading…')}</p>
    );
  }
  return (
    <div className="jk-Summary">
      <section aria-label={trans.__('As code')}>
        <h2 className="jk-SmallTitle">{trans.__('This endpoint')}</h2>
        <ResourceCode label={trans.__('This endpoint as code')} code={value} />
      </section>
      <section aria-label={trans.__('A request')}>
        <h2 className="jk-SmallTitle">{trans.__('A request to it')}</h2>
        <CodeForms label={trans.__('A request as code')} forms={requestForms(value)} />
        <p className="jk-Muted jk-Small">
          {trans.__('The token is read from its file, so that none stands in a script.')}
        </p>
      </section>
    </div>
  );
}

export function requestForms(code: IEndpointCode): ICodeForm[] {
  return formsOf([
    ['ours', 'Python', code.ours, true],
    ['curl', 'curl', code.curl],
    ['client', 'urllib', code.client, true]
  ]);
}
