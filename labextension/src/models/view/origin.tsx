import * as React from 'react';

import { useKubeflow } from '../../ui/context';
import { originOf } from '../model/model';
import type { IVersion } from '../model/types';

/** The run, job, trial, model or notebook that a version comes from; a way there if there is one. */
export function Origin(props: { version: IVersion }): JSX.Element {
  const kubeflow = useKubeflow();
  const origin = originOf(props.version);
  if (!origin) {
    return <span className="jk-Muted">–</span>;
  }
  const { kind, name, title, place } = origin;
  return kind && name && kubeflow.sections.view(kind) ? (
    <button
      type="button"
      className="jk-Link jk-Ellipsis"
      title={title}
      dir="auto"
      onClick={event => {
        event.stopPropagation();
        void kubeflow.open(kind, name, place);
      }}
    >
      {title}
    </button>
  ) : (
    <span className="jk-Ellipsis" title={title} dir="auto">
      {title}
    </span>
  );
}
