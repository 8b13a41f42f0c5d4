import { DisposableDelegate } from '@lumino/disposable';

import { KubeflowError } from '../errors';
import { ResourceStore } from '../store';
import type { ICapability, IResourceEvent, IRun, IStepStatus, IWork, RunState } from '../types';
import { Clock } from './clock';

/** A server in memory, and a store that talks to it. */
export class Server {
  readonly clock = new Clock();
  readonly runs = new Map<string, IRun>();
  readonly jobs = new Map<string, IWork>();
  capabilities: Record<string, ICapability> | undefined;
  cluster: { kind: string; name?: string; namespace?: string; kinds?: string[] } = {
    kind: 'local'
  };
  readonly asked: string[] = [];
  /** Answers to these paths are made at once and arrive when told to. */
  readonly slow = new Set<string>();
  version = 100;
  /** Of what is read from a cluster: another counter. */
  clusterVersion = 9_000;
  /** Failure of every request, if any. */
  failure: KubeflowError | null = null;
  hidden = false;
  /** Why the runs are not all there are. */
  notice: string | undefined;
  serverVersion = '0.1.0';
  private _listen: ((event: IResourceEvent) => void) | null = null;

  readonly store = new ResourceStore({
    request: <T>(path: string) => this._send<T>(path),
    events: call => {
      this._listen = call;
      return new DisposableDelegate(() => {
        this._listen = null;
      });
    },
    later: this.clock.later,
    now: this.clock.now,
    hidden: () => this.hidden,
    handshake: status =>
      status.version === '0.1.0' ? null : new KubeflowError('versions differ', { status: 409 }),
    missing: () => new KubeflowError('not installed', { status: 404 })
  });

  /** Create or change a run; tells the store unless it is to miss the event. */
  put(
    name: string,
    phase: RunState,
    options: { steps?: IStepStatus[]; silent?: boolean } = {}
  ): void {
    this.version += 1;
    const old = this.runs.get(name);
    const stamp = new Date(this.clock.time).toISOString();
    const steps = options.steps ?? old?.status.steps ?? [];
    this.runs.set(name, {
      kind: 'Run',
      metadata: {
        name,
        uid: name,
        resourceVersion: String(this.version),
        creationTimestamp: old?.metadata.creationTimestamp ?? stamp
      },
      spec: { pipeline: { name: 'tour' } },
      status: { phase, reason: '', startTime: stamp, steps, metrics: { from: this.version } }
    });
    if (!options.silent) {
      this.tell(old ? 'MODIFIED' : 'ADDED', name);
    }
  }

  delete(name: string): void {
    this.version += 1;
    this.tell('DELETED', name);
    this.runs.delete(name);
  }

  tell(type: IResourceEvent['type'], name: string): void {
    const run = this.runs.get(name);
    this._listen?.({
      type,
      kind: 'Run',
      name,
      uid: name,
      resourceVersion: this.version,
      phase: run?.status.phase,
      reason: '',
      steps: Object.fromEntries((run?.status.steps ?? []).map(step => [step.name, step.state])),
      progress: 0.5
    });
  }

  emit(event: IResourceEvent): void {
    this._listen?.(event);
  }

  /** Let the answers that were held back arrive. */
  arrive(): void {
    this.slow.clear();
    this._held.splice(0).forEach(call => call());
  }

  private async _send<T>(path: string): Promise<T> {
    const answer = this._answer(path) as T;
    if (this.slow.has(path)) {
      await new Promise<void>(resolve => this._held.push(resolve));
    }
    return answer;
  }

  /** Kept elsewhere: with versions of their own. */
  modelVersion = 5;
  modelFailure: KubeflowError | null = null;

  private _models(): unknown {
    if (this.modelFailure) {
      throw this.modelFailure;
    }
    const items = [...this.jobs.values()].filter(item => item.kind === 'RegisteredModel');
    return { items, resourceVersion: this.modelVersion, more: false };
  }

  private _held: (() => void)[] = [];

  private _answer(path: string): unknown {
    this.asked.push(path);
    if (this.failure) {
      throw this.failure;
    }
    if (path === 'status') {
      return {
        version: this.serverVersion,
        cluster: { ...this.cluster, capabilities: this.capabilities }
      };
    }
    const [resource, query] = path.split('?');
    const [plural, name] = resource.split('/');
    if (plural === 'recurringruns') {
      return { items: [], resourceVersion: this.version, more: false };
    }
    if (!name && plural === 'registeredmodels') {
      return this._models();
    }
    if (!name && plural === 'trainjobs' && this.cluster.kinds) {
      return { items: [...this.jobs.values()], resourceVersion: this.clusterVersion, more: false };
    }
    if (!name && plural !== 'runs') {
      throw new KubeflowError('no such kind', { status: 404 });
    }
    if (name) {
      const jobs = plural === 'trainjobs' || plural === 'registeredmodels';
      const run = (jobs ? this.jobs : this.runs).get(decodeURIComponent(name));
      if (!run) {
        throw new KubeflowError('no such run', { status: 404 });
      }
      return run;
    }
    const limit = Number(new URLSearchParams(query).get('limit') ?? 50);
    const before = new URLSearchParams(query).get('before');
    const sorted = [...this.runs.values()].reverse();
    const from = before ? sorted.findIndex(run => run.metadata.name === before) + 1 : 0;
    const items = sorted.slice(from, from + limit);
    const more = sorted.length > from + limit;
    return { items, resourceVersion: this.version, more, notice: this.notice };
  }
}
