import type { IMachine } from '../model/machine';
import type { IServerStatus } from '../model/types';
import { useKubeflow } from './context';
import { usePolled } from './polled';

/** What is free changes with what others do: read again so often, in milliseconds, while somebody looks. */
const PAUSE = 10_000;

/** The machine that forms ask of, as it is now; null where a cluster's nodes are asked instead. */
export function useMachine(): IMachine | null {
  const kubeflow = useKubeflow();
  const { value } = usePolled('machine', PAUSE, signal =>
    kubeflow.request<IServerStatus>('status', { signal })
  );
  const status = value ?? kubeflow.resources.status;
  return (status?.cluster.kind?.startsWith('local') && status.machine) || null;
}
