import * as React from 'react';

import { KubeflowError } from '../model/errors';
import { useKubeflow } from '../ui/context';
import { Button, ErrorLine, InlineConfirm } from '../ui/controls';
import { Card } from './card';
import { Few } from './few';
import type { HomeFeed } from './feed';
import type { IPerson } from './page';

/** Who has a part in the profile; who may give parts adds people and takes them out. */
export function People(props: { people: readonly IPerson[]; feed: HomeFeed }): JSX.Element {
  const { people, feed } = props;
  const { trans } = useKubeflow();
  const [adds, setAdds] = React.useState(false);
  return (
    <Card
      title={trans.__('People')}
      note={
        !adds && (
          <Button
            label={trans.__('Add')}
            title={trans.__('Add somebody')}
            onClick={() => setAdds(true)}
          />
        )
      }
    >
      <Few label={trans.__('People')} rows={people} text={({ name }) => name}>
        {rows => (
          <ul className="jk-Home-shares" aria-label={trans.__('People')}>
            {rows.map(person => (
              <Person
                key={`${person.kind}/${person.name}/${person.role}`}
                person={person}
                feed={feed}
              />
            ))}
          </ul>
        )}
      </Few>
      {adds && <Adding feed={feed} onDone={() => setAdds(false)} />}
    </Card>
  );
}

function useRole(): (role: string) => string {
  const { trans } = useKubeflow();
  const words: Record<string, string> = {
    admin: trans.__('Owner'),
    edit: trans.__('Editor'),
    view: trans.__('Viewer')
  };
  return role => words[role] ?? role;
}

function Person(props: { person: IPerson; feed: HomeFeed }): JSX.Element {
  const { person, feed } = props;
  const { name, kind, role, isOwner } = person;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const said = useRole();
  const [asks, setAsks] = React.useState(false);
  const [error, setError] = React.useState<unknown>(null);
  const ask = async (dryRun: boolean) => {
    setError(null);
    try {
      await kubeflow.request('home/contributors:remove', {
        method: 'POST',
        body: { name, kind, dryRun }
      });
      setAsks(dryRun);
    } catch (failure) {
      setAsks(false);
      setError(failure);
    }
    if (!dryRun) {
      await feed.refresh();
    }
  };
  return (
    <li className="jk-Home-person">
      <i className="jk-Home-swatch" aria-hidden="true" />
      <span className="jk-Home-name" dir="auto" title={name}>
        {kind === 'Group' ? trans.__('Group %1', name) : name}
      </span>
      <span className="jk-Home-shareWords">
        {said(role)}
        {!isOwner && !asks && (
          <>
            {' '}
            <Button
              label={trans.__('Remove')}
              title={trans.__('Take %1 out of the profile', name)}
              onClick={() => ask(true)}
            />
          </>
        )}
      </span>
      {asks && (
        <div className="jk-Home-wide">
          <InlineConfirm
            question={trans.__('Take %1 out of the profile?', name)}
            verb={trans.__('Remove')}
            onConfirm={() => ask(false)}
            onCancel={() => setAsks(false)}
          />
        </div>
      )}
      {error !== null && (
        <div className="jk-Home-wide">
          <ErrorLine error={error} />
        </div>
      )}
    </li>
  );
}

/** The API server checks it before it is stored: what it would refuse is said at once. */
function Adding(props: { feed: HomeFeed; onDone: () => void }): JSX.Element {
  const { feed, onDone } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const said = useRole();
  const [name, setName] = React.useState('');
  const [kind, setKind] = React.useState('User');
  const [role, setRole] = React.useState('edit');
  const [error, setError] = React.useState<unknown>(null);
  const [fits, setFits] = React.useState('');
  const ask = async (dryRun: boolean) => {
    setError(null);
    setFits('');
    try {
      const body = { name: name.trim(), kind, role, dryRun };
      await kubeflow.request('home/contributors', { method: 'POST', body });
    } catch (failure) {
      setError(KubeflowError.from(failure));
      return;
    }
    if (dryRun) {
      setFits(trans.__('The cluster would take it.'));
    } else {
      onDone();
      await feed.refresh();
    }
  };
  const disabled = name.trim() ? null : trans.__('Write a name first.');
  return (
    <form
      className="jk-Home-adding"
      aria-label={trans.__('Add somebody')}
      onSubmit={event => {
        event.preventDefault();
        if (!disabled) {
          void ask(false);
        }
      }}
    >
      <input
        type="text"
        className="jk-Input"
        aria-label={trans.__('Name')}
        placeholder={trans.__('bob@example.com')}
        value={name}
        maxLength={255}
        autoFocus
        onChange={event => setName(event.target.value)}
      />
      <select
        className="jk-Input"
        aria-label={trans.__('Kind')}
        value={kind}
        onChange={event => setKind(event.target.value)}
      >
        <option value="User">{trans.__('User')}</option>
        <option value="Group">{trans.__('Group')}</option>
      </select>
      <select
        className="jk-Input"
        aria-label={trans.__('Role')}
        value={role}
        onChange={event => setRole(event.target.value)}
      >
        <option value="edit">{said('edit')}</option>
        <option value="view">{said('view')}</option>
      </select>
      <Button label={trans.__('Check')} disabled={disabled} onClick={() => ask(true)} />
      <Button
        kind="primary"
        label={trans.__('Add')}
        disabled={disabled}
        onClick={() => ask(false)}
      />
      <Button label={trans.__('Cancel')} onClick={onDone} />
      {fits && (
        <p className="jk-Home-wide jk-Quiet" role="status">
          {fits}
        </p>
      )}
      {error !== null && (
        <div className="jk-Home-wide">
          <ErrorLine error={error} />
        </div>
      )}
    </form>
  );
}
