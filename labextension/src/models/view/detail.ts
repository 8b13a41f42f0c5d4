import * as React from 'react';

import { useFetched, useKubeflow } from '../../ui/context';
import { ask } from '../commands';
import type { IModel, IVersion, IVersionDetail } from '../model/types';

interface IDetail<T> {
  value: T | null;
  error: unknown;
  loading: boolean;
  reload: () => void;
}

/** What a verb tells of a version: read again when the model changed, shown as it was until then. */
export function useAnswer<T>(
  model: IModel,
  version: string | null,
  verb: string,
  body: object = {}
): IDetail<T> {
  const kubeflow = useKubeflow();
  const { name, resourceVersion } = model.metadata;
  const what = JSON.stringify([name, verb, version, body]);
  const key = version === null ? null : `${what}@${resourceVersion}`;
  const found = useFetched(key, signal =>
    ask<T>(kubeflow, name, verb, version ? { version, ...body } : body, signal)
  );
  const last = React.useRef<{ what: string; value: T } | null>(null);
  if (found.value !== null) {
    last.current = { what, value: found.value };
  }
  const kept = last.current?.what === what ? last.current.value : null;
  return { ...found, value: found.error ? null : kept, loading: found.loading && kept === null };
}

export function useDetail(model: IModel, version: IVersion | null): IDetail<IVersionDetail> {
  return useAnswer<IVersionDetail>(model, version?.version ?? null, 'version');
}
