import { useFetched, useKubeflow } from '../../ui/context';
import { useFound } from '../../ui/resources';

interface IVersionRow {
  version: string;
  aliases?: string[];
  danger?: string | null;
  trusted?: boolean;
  format?: string | null;
}

interface IModelStatus {
  aliases?: Record<string, string>;
}

export interface IModels {
  readonly names: readonly string[];
  /** Aliases of the chosen model and the versions they name. */
  readonly aliases: readonly (readonly [string, string])[];
  readonly versions: readonly IVersionRow[];
  /** Why reading the chosen version may run code that is not this user's. */
  readonly danger: string | null;
  readonly error: unknown;
}

/** What can be served: the registry's models, and the versions of the chosen one. */
export function useModels(model: string, version: string): IModels {
  const kubeflow = useKubeflow();
  const found = useFound(['RegisteredModel'], ([list]) =>
    list.items
      .filter(item => (item.spec as { state?: string }).state !== 'ARCHIVED')
      .map(item => ({
        name: item.metadata.name,
        aliases: Object.entries((item.status as IModelStatus).aliases ?? {}),
        at: item.metadata.resourceVersion
      }))
  );
  const chosen = found.find(({ name }) => name === model);
  const { value, error } = useFetched(model ? `${model}@${chosen?.at ?? ''}` : null, signal =>
    kubeflow.request<{ items: IVersionRow[] }>(
      `registeredmodels/${encodeURIComponent(model)}:versions`,
      { method: 'POST', body: { limit: 50 }, signal }
    )
  );
  const versions = value?.items ?? [];
  const aliases = chosen?.aliases ?? [];
  const named = version.startsWith('@')
    ? aliases.find(([alias]) => alias === version.slice(1))?.[1]
    : version;
  const row = versions.find(each => each.version === named) ?? (named ? undefined : versions[0]);
  return {
    names: found.map(({ name }) => name),
    aliases,
    versions,
    danger: row?.danger && row.trusted === false ? row.danger : null,
    error
  };
}
