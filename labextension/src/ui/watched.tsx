import * as React from 'react';

import type { IResourceWatch } from '../model/resources';
import type { IWork } from '../model/types';
import { SeenProvider, useKubeflow, useSeen, useSignal } from './context';
import { ErrorLine } from './controls';

/**
 * The frame of one resource's view: loading, failed, deleted, or the server away. What was known of it stays, greyed,
 * and nothing below asks for more.
 */
export function Watched<T extends IWork>(props: {
  watch: IResourceWatch<T>;
  className: string;
  children: (item: T, gone: boolean) => React.ReactNode;
}): JSX.Element {
  const { watch } = props;
  const { trans, resources } = useKubeflow();
  const seen = useSeen();
  useSignal(watch.changed);
  useSignal(resources.connectionChanged);
  const { item, error } = watch;
  if (!item) {
    return error ? (
      <ErrorLine error={error} onRetry={() => void watch.refresh()} />
    ) : (
      <p className="jk-Quiet">{trans.__('Loading…')}</p>
    );
  }
  const away = resources.connection === 'away';
  const gone = error?.status === 404;
  const classes = `jk-RunView ${props.className}`;
  return (
    <div className={away || gone ? `${classes} jk-mod-away` : classes}>
      {away && (
        <p className="jk-Where-away" role="status">
          {trans.__('The Jupyter server does not answer. Shown is what was last known.')}
        </p>
      )}
      {error && (
        <div className="jk-Where-away">
          <ErrorLine error={error} />
        </div>
      )}
      <SeenProvider value={seen && !gone && !away}>{props.children(item, gone)}</SeenProvider>
    </div>
  );
}
