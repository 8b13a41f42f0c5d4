import * as React from 'react';

import { useKubeflow } from '../ui/context';
import { Button, ErrorLine } from '../ui/controls';
import { Card } from './card';
import { Few } from './few';
import type { HomeFeed } from './feed';
import type { IProfiles } from './page';
import { amounts } from './quota';

/** The profiles of the cluster; an administrator sees what each uses. A button switches to another. */
export function Profiles(props: { profiles: IProfiles; feed: HomeFeed }): JSX.Element {
  const { profiles, feed } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [error, setError] = React.useState<unknown>(null);
  const titled = (name: string, owner?: string | null) =>
    owner && owner !== name ? trans.__('%1, of %2', name, owner) : name;
  const use = async (namespace: string) => {
    setError(null);
    try {
      const now = await kubeflow.request<{ used: { context: string } }>('cluster');
      const body = { context: now.used.context, namespace };
      await kubeflow.request('cluster', { method: 'POST', body });
      await feed.refresh();
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <Card
      title={profiles.isAdmin ? trans.__('All profiles') : trans.__('Profiles')}
      note={trans._n('%1 profile', '%1 profiles', profiles.count)}
    >
      <Few
        label={trans.__('Profiles')}
        rows={profiles.rows}
        text={({ name, owner }) => `${name} ${owner}`}
      >
        {rows => (
          <ul className="jk-Home-shares" aria-label={trans.__('Profiles')}>
            {rows.map(({ name, owner, isUsed, ...row }) => (
              <li key={name} aria-current={isUsed || undefined}>
                <i
                  className={`jk-Home-swatch${isUsed ? ' jk-Home-shade0' : ''}`}
                  aria-hidden="true"
                />
                <span className="jk-Home-name" dir="auto" title={titled(name, owner)}>
                  {titled(name, owner)}
                </span>
                <span className="jk-Home-shareWords">
                  {isUsed ? (
                    trans.__('used now')
                  ) : (
                    <Button
                      label={trans.__('Switch')}
                      title={trans.__('Use the profile %1', name)}
                      onClick={() => use(name)}
                    />
                  )}
                </span>
                {row.pods !== undefined && (
                  <span className="jk-Home-below">
                    {amounts({ cpu: 0, memory: 0, gpus: 0, ...row, pods: row.pods }, trans)}
                  </span>
                )}
              </li>
            ))}
          </ul>
        )}
      </Few>
      {error !== null && <ErrorLine error={error} />}
    </Card>
  );
}
