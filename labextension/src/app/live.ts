import type { ServiceManager } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import { DisposableDelegate } from '@lumino/disposable';

import { KubeflowError } from '../model/errors';
import type { IStoreServices } from '../model/store';
import type { IResourceEvent, IServerStatus } from '../model/types';
import type { Requester } from '../request';
import { compareVersions, VERSION } from '../version';

const SCHEMA = 'https://schema.jupyter-kubeflow.org/resource/v1';

/** The browser's side of the store: requests, the server's event bus, timers and the page's visibility. */
export function browserServices(
  requester: Requester,
  events: ServiceManager.IManager['events'],
  trans: TranslationBundle
): IStoreServices {
  return {
    request: path => requester.json(path),
    events: call => {
      const slot = (_: unknown, emission: { schema_id: string }) => {
        if (emission.schema_id === SCHEMA) {
          call(emission as unknown as IResourceEvent);
        }
      };
      events.stream.connect(slot);
      return new DisposableDelegate(() => events.stream.disconnect(slot));
    },
    later: (call, milliseconds) => {
      const timer = window.setTimeout(call, milliseconds);
      return () => window.clearTimeout(timer);
    },
    now: () => Date.now(),
    hidden: () => document.hidden,
    handshake: status => handshake(status, trans),
    missing: () =>
      new KubeflowError(trans.__('The server part of jupyter-kubeflow is not running.'), {
        status: 404,
        hint: trans.__(
          'In the environment of the Jupyter server run “pip install jupyter-kubeflow”, then “jupyter server extension enable jupyter_ext”, and restart the server.'
        )
      })
  };
}

/** What to do if page and server are not of one version, or null. */
export function handshake(status: IServerStatus, trans: TranslationBundle): KubeflowError | null {
  const order = compareVersions(status.version, VERSION);
  if (order === 0) {
    return null;
  }
  const what =
    order > 0
      ? trans.__('This page is older (%1) than its server (%2).', VERSION, status.version)
      : trans.__('The server is older (%2) than this page (%1).', VERSION, status.version);
  const hint =
    order > 0
      ? trans.__('Reload the page.')
      : trans.__('Restart the Jupyter server; it still runs the version it started with.');
  return new KubeflowError(what, { hint, status: 409 });
}

/** Call when somebody looks again, the network is back, or the machine slept. */
export function onWake(call: () => void): DisposableDelegate {
  const seen = () => !document.hidden && call();
  document.addEventListener('visibilitychange', seen);
  window.addEventListener('online', call);
  window.addEventListener('focus', seen);
  return new DisposableDelegate(() => {
    document.removeEventListener('visibilitychange', seen);
    window.removeEventListener('online', call);
    window.removeEventListener('focus', seen);
  });
}
