import * as React from 'react';

import { useKubeflow } from '../ui/context';
import { Button, ErrorLine } from '../ui/controls';
import { Card } from './card';
import type { HomeFeed } from './feed';
import type { IProfiles } from './page';
import { amounts } from './quota';

/** So many are shown before somebody asks for all. */
const SHOWN = 8;

/** The profiles of the cluster; an administrator sees what each uses. A button switches to another. */
export function Profiles(props: { profiles: IProfiles; feed: HomeFeed }): JSX.Element {
  const { profiles, feed } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [all, setAll] = React.useState(false);
  const [error, setError] = React.useState<unknown>(null);
  const rows = all ? profiles.rows : profiles.rows.slice(0, SHOWN);
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
      <ul className="jk-Home-shares" aria-label={trans.__('Profiles')}>
        {rows.map(({ name, owner, isUsed, ...row }) => (
          <li key={name} aria-current={isUsed || undefined}>
            <i className={`jk-Home-swatch${isUsed ? ' jk-Home-shade0' : ''}`} aria-hidden="true" />
            <span className="jk-Home-name" dir="auto" title={owner || name}>
              {owner && owner !== name ? trans.__('%1, of %2', name, owner) : name}
            </span>
            <span className="jk-Home-shareWords">
              {row.pods !== undefined &&
                `${amounts({ cpu: 0, memory: 0, gpus: 0, ...row, pods: row.pods }, trans)} `}
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
          </li>
        ))}
      </ul>
      {profiles.rows.length > rows.length && (
        <Button
          label={trans.__('Show all %1', profiles.rows.length)}
          onClick={() => setAll(true)}
        />
      )}
      {error !== null && <ErrorLine error={error} />}
    </Card>
  );
}
