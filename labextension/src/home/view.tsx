import * as React from 'react';

import { exact } from '../format';
import { KubeflowError } from '../model/errors';
import { CommandIDs } from '../tokens';
import { useKubeflow, useSeen, useSignal } from '../ui/context';
import { Button, ErrorLine } from '../ui/controls';
import { Capacity } from './capacity';
import { Card } from './card';
import { Components } from './components';
import { Endpoints } from './endpoints';
import type { HomeFeed } from './feed';
import { FirstSteps } from './first';
import type { IPage } from './page';
import { isBroken, isEmpty } from './page';
import { People } from './people';
import { Profiles } from './profiles';
import { Quotas, Use } from './quota';
import { Storage } from './storage';
import { Past, Work } from './work';

const CODE = `from jupyter_ext import home
page = home.summary()
page`;

/** The whole page; what does not apply is not on it. */
export function Home(props: { feed: HomeFeed }): JSX.Element {
  const { feed } = props;
  const kubeflow = useKubeflow();
  const { trans, resources } = kubeflow;
  useSignal(feed.changed);
  useSignal(resources.connectionChanged);
  const seen = useSeen();
  React.useEffect(() => {
    const watching = seen ? feed.watch() : null;
    return () => watching?.dispose();
  }, [feed, seen]);
  const { page, error } = feed;
  const away = resources.connection === 'away';
  return (
    <div className={away ? 'jk-Home jk-mod-away' : 'jk-Home'}>
      <Head page={page} feed={feed} />
      {away && (
        <p className="jk-Where-away" role="status">
          {resources.updatedAt
            ? trans.__(
                'The Jupyter server does not answer. Shown is how it was at %1.',
                exact(resources.updatedAt)
              )
            : trans.__('The Jupyter server does not answer. Trying again.')}
        </p>
      )}
      {error && !away && <ErrorLine error={error} onRetry={() => void feed.refresh()} />}
      {page ? (
        <Body page={page} feed={feed} />
      ) : (
        !error && <p className="jk-Quiet">{trans.__('Loading…')}</p>
      )}
    </div>
  );
}

function Head(props: { page: IPage | null; feed: HomeFeed }): JSX.Element {
  const { page, feed } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const links = page?.links && !isBroken(page.links) ? page.links : [];
  return (
    <div className="jk-Home-head">
      <h1>{trans.__('Kubeflow')}</h1>
      {page && (
        <span className="jk-Home-where" dir="auto" title={page.profile.cluster}>
          {page.profile.kind === 'local'
            ? trans.__('Profile %1 on this machine', page.profile.name)
            : trans.__('Profile %1 on %2', page.profile.name, page.profile.cluster)}
        </span>
      )}
      <span className="jk-Spacer" />
      {links.map(({ title, url }) => (
        <a key={url} className="jk-Home-link" href={url} target="_blank" rel="noopener noreferrer">
          {title}
        </a>
      ))}
      <Button
        label={trans.__('Check setup')}
        onClick={() => kubeflow.execute(CommandIDs.openDoctor)}
      />
      <Button label={trans.__('Copy as code')} onClick={() => kubeflow.copyCode(CODE)} />
      <Button label={trans.__('Refresh')} onClick={() => feed.refresh()} />
    </div>
  );
}

function Body(props: { page: IPage; feed: HomeFeed }): JSX.Element {
  const { page, feed } = props;
  const { trans } = useKubeflow();
  const { capacity, work, endpoints, components, storage, quota, use, contributors, profiles } =
    page;
  return (
    <div className="jk-Home-columns">
      <div className="jk-Home-main">
        {isEmpty(page) && <FirstSteps />}
        {work && (
          <Part part={work} title={trans.__('Work')}>
            {value => !isEmpty(page) && <Work work={value} />}
          </Part>
        )}
        {endpoints && (isBroken(endpoints) || endpoints.length > 0) && (
          <Part part={endpoints} title={trans.__('Endpoints')}>
            {value => <Endpoints endpoints={value} />}
          </Part>
        )}
        {work && !isBroken(work) && !isEmpty(page) && <Past work={work} />}
      </div>
      <div className="jk-Home-side">
        {capacity && (
          <Part part={capacity} title={trans.__('Capacity')}>
            {value => <Capacity capacity={value} />}
          </Part>
        )}
        {quota && (
          <Part part={quota} title={trans.__('Quota')}>
            {value => <Quotas quotas={value} />}
          </Part>
        )}
        {use && (
          <Part part={use} title={trans.__('In use')}>
            {value => <Use use={value} />}
          </Part>
        )}
        {contributors && (
          <Part part={contributors} title={trans.__('People')}>
            {value => <People people={value} feed={feed} />}
          </Part>
        )}
        {profiles && (
          <Part part={profiles} title={trans.__('Profiles')}>
            {value => <Profiles profiles={value} feed={feed} />}
          </Part>
        )}
        {components && (
          <Part part={components} title={trans.__('Components')}>
            {value => <Components components={value} />}
          </Part>
        )}
        {storage && (
          <Part part={storage} title={trans.__('Storage')}>
            {value => <Storage storage={value} />}
          </Part>
        )}
      </div>
    </div>
  );
}

/** A part of the page; one that could not be looked at says why in its place. */
function Part<T>(props: {
  part: T;
  title: string;
  children: (value: Exclude<T, { readonly error: unknown }>) => React.ReactNode;
}): JSX.Element {
  const { part, title, children } = props;
  return isBroken(part) ? (
    <Card title={title}>
      <ErrorLine error={new KubeflowError(part.error.message)} />
    </Card>
  ) : (
    <>{children(part as Exclude<T, { readonly error: unknown }>)}</>
  );
}
