import * as React from 'react';

import { KubeflowError } from '../model/errors';
import { useKubeflow } from '../ui/context';
import { ErrorLine } from '../ui/controls';

interface IChoice {
  context: string;
  kind: string;
  title: string;
}

/** What `cluster` answers: what there is, and what is used. */
interface IClusters {
  used: { context: string; kind: string; name: string; namespace: string };
  reason: string;
  choices: IChoice[];
  profiles: string[];
  profilesReason: string;
}

const LOCAL = 'local';

/** Where work goes from now on: this machine or a cluster, and the profile there. Nothing where there is no choice. */
export function Clusters(): JSX.Element | null {
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const id = React.useId();
  const [found, setFound] = React.useState<IClusters | null>(null);
  const [error, setError] = React.useState<KubeflowError | null>(null);
  const [busy, setBusy] = React.useState(false);
  const ask = React.useCallback(
    async (body?: { context: string; namespace?: string }) => {
      setBusy(true);
      setError(null);
      try {
        const init = body && ({ method: 'POST', body } as const);
        setFound(await kubeflow.request<IClusters>('cluster', init));
        if (body) {
          await kubeflow.resources.refresh();
        }
      } catch (failure) {
        setError(KubeflowError.from(failure));
      } finally {
        setBusy(false);
      }
    },
    [kubeflow]
  );
  React.useEffect(() => void ask(), [ask]);
  if (!found) {
    return error && <ErrorLine error={error} onRetry={() => void ask()} />;
  }
  const { used, choices, profiles } = found;
  if (choices.length < 2 && used.kind === LOCAL) {
    return null;
  }
  const title = (choice: IChoice) =>
    choice.context === LOCAL ? trans.__('This machine') : choice.title;
  return (
    <div className="jk-Clusters" aria-busy={busy}>
      <label htmlFor={`${id}-cluster`}>{trans.__('Cluster')}</label>
      <select
        id={`${id}-cluster`}
        className="jp-mod-styled"
        value={used.context}
        disabled={busy}
        onChange={event => void ask({ context: event.target.value })}
      >
        {choices.map(choice => (
          <option key={choice.context} value={choice.context}>
            {title(choice)}
          </option>
        ))}
      </select>
      {used.kind !== LOCAL && (
        <>
          <label htmlFor={`${id}-profile`}>{trans.__('Profile')}</label>
          <select
            id={`${id}-profile`}
            className="jp-mod-styled"
            value={used.namespace}
            disabled={busy}
            onChange={event => void ask({ context: used.context, namespace: event.target.value })}
          >
            {profiles.map(name => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </>
      )}
      {(found.profilesReason || found.reason) && (
        <p className="jk-Quiet jk-Clusters-reason">{found.profilesReason || found.reason}</p>
      )}
      {error && <ErrorLine error={error} />}
    </div>
  );
}
