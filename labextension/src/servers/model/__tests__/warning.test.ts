import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';

import type { IIdle, IServer } from '../types';
import { IdleWarning } from '../warning';
import { server } from './servers';

const SINCE = '2026-01-01T11:00:00Z';

function idle(more: Partial<IIdle> = {}): IServer {
  const verdict: IIdle = {
    action: 'warn',
    words: 'Soon.',
    stopsAt: SINCE,
    idleSince: SINCE,
    ...more
  };
  return server('', { idle: verdict });
}

describe('the warning', () => {
  let said: string[];
  let open: boolean;
  let warning: IdleWarning;
  beforeEach(() => {
    said = [];
    open = true;
    warning = new IdleWarning({
      show: () => {
        said.push('show');
        return 'one';
      },
      update: id => {
        said.push(`update ${id}`);
        return open;
      },
      dismiss: id => said.push(`dismiss ${id}`)
    });
  });

  test('is told once, kept true, and taken away when the server is kept', () => {
    warning.take(server(''));
    warning.take(idle({ action: 'keep' }));
    assert.deepEqual(said, []);
    warning.take(idle());
    warning.take(idle());
    warning.take(undefined);
    warning.take(idle({ action: 'keep' }));
    warning.take(idle({ action: 'keep' }));
    assert.deepEqual(said, ['show', 'update one', 'dismiss one']);
  });

  test('does not come again for the same idleness once somebody closed it', () => {
    warning.take(idle());
    warning.closed();
    warning.take(idle({ words: 'Sooner.' }));
    assert.deepEqual(said, ['show']);
    warning.take(idle({ idleSince: '2026-01-01T13:00:00Z' }));
    assert.deepEqual(said, ['show', 'show']);
  });

  test('nor when it was closed where all notifications are', () => {
    warning.take(idle());
    open = false;
    warning.take(idle());
    warning.take(idle());
    assert.deepEqual(said, ['show', 'update one']);
  });

  test('comes again after the server was in use', () => {
    warning.take(idle());
    warning.closed();
    warning.take(idle({ action: 'keep', idleSince: null }));
    warning.take(idle());
    assert.deepEqual(said, ['show', 'show']);
  });

  test('is nothing for a server that stops', () => {
    warning.take(idle());
    warning.take({ ...idle(), state: 'stopping' });
    assert.deepEqual(said, ['show', 'dismiss one']);
  });
});
