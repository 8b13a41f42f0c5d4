import type { RunState } from '../../../model/types';
import { APPLICATION } from '../app';
import type { ISpark, ISparkSpec, ISparkStatus, IStage } from '../types';

function format(text: string, ...values: unknown[]): string {
  return text.replace(/%(\d)/g, (_, at: string) => String(values[Number(at) - 1]));
}

export const TRANS = {
  __: (text: string, ...values: unknown[]) => format(text, ...values),
  _n: (one: string, many: string, count: number) => format(count === 1 ? one : many, count)
};

/** An application as the server gives it. */
export function app(
  phase: RunState,
  status: Partial<ISparkStatus> = {},
  more: { kind?: string; spec?: ISparkSpec; annotations?: Record<string, string> } = {}
): ISpark {
  const ours = Object.entries(more.annotations ?? {}).map(([name, value]) => [
    `jupyter-kubeflow.org/${name}`,
    value
  ]);
  return {
    apiVersion: 'sparkoperator.k8s.io/v1beta2',
    kind: more.kind ?? APPLICATION,
    metadata: {
      name: 'prepare-x7k2p',
      uid: 'u',
      resourceVersion: '7',
      annotations: Object.fromEntries(ours) as Record<string, string>
    },
    spec: more.spec ?? {
      mainApplicationFile: 'local:///home/me/prepare.py',
      driver: { cores: 1, memory: '1g' },
      executor: { instances: 2, cores: 1, memory: '1g' }
    },
    status: { phase, ...status }
  };
}

export function stage(id: number, more: Partial<IStage> = {}): IStage {
  return { id, name: `stage ${id}`, state: 'ACTIVE', tasks: 10, done: 0, failed: 0, ...more };
}
