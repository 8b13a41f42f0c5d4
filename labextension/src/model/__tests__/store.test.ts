import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { KubeflowError } from '../errors';
import type { IListChange } from '../resources';
import type { IWork } from '../types';
import { Server } from './server';

const AWAY = new KubeflowError('The Jupyter server does not answer.', { status: 0 });

async function started(count = 3): Promise<Server> {
  const server = new Server();
  for (let i = 0; i < count; i++) {
    server.put(`run-${i}`, 'SUCCEEDED', { silent: true });
  }
  await server.store.refresh();
  await server.clock.go(50);
  return server;
}

describe('lists', () => {
  test('are read newest first', async () => {
    const { store } = await started();
    assert.deepEqual(
      store.runs.items.map(run => run.metadata.name),
      ['run-2', 'run-1', 'run-0']
    );
    assert.equal(store.connection, 'live');
  });

  test('show an event within a frame, and what the server adds right after', async () => {
    const server = await started();
    server.put('run-0', 'RUNNING', { steps: [{ name: 'a', state: 'RUNNING' }] });
    await server.clock.go(16);
    const shown = server.store.runs.get('run-0');
    assert.equal(shown?.status.phase, 'RUNNING');
    assert.equal(shown?.status.metrics?.from, 101);
    await server.clock.go(200);
    assert.equal(server.store.runs.get('run-0')?.status.metrics?.from, server.version);
  });

  test('put a new run on top without reading the list again', async () => {
    const server = await started();
    server.asked.length = 0;
    server.clock.time += 1000;
    server.put('run-new', 'PENDING');
    await server.clock.go(100);
    assert.equal(server.store.runs.items[0].metadata.name, 'run-new');
    assert.deepEqual(server.asked, ['runs/run-new']);
  });

  test('take away what was deleted', async () => {
    const server = await started();
    server.delete('run-1');
    await server.clock.go(100);
    assert.equal(server.store.runs.get('run-1'), undefined);
  });

  test('tell once for many changes in one frame, and keep untouched objects', async () => {
    const server = await started(500);
    await server.store.runs.loadMore();
    await server.clock.go(50);
    const untouched = server.store.runs.get('run-480');
    const changes: IListChange[] = [];
    server.store.runs.changed.connect((_, change) => {
      changes.push(change);
    });
    let calls = 0;
    server.store.runs.subscribe('run-499', () => (calls += 1));
    for (let i = 0; i < 20; i++) {
      server.put('run-499', 'RUNNING', { steps: [{ name: `s${i}`, state: 'RUNNING' }] });
    }
    await server.clock.go(16);
    assert.equal(changes.length, 1);
    assert.deepEqual([...changes[0].names], ['run-499']);
    assert.equal(changes[0].order, false);
    assert.equal(calls, 1);
    assert.equal(server.store.runs.get('run-480'), untouched);
  });

  test('ignore an event older than what is shown', async () => {
    const server = await started();
    server.put('run-0', 'SUCCEEDED');
    await server.clock.go(200);
    const { version } = server;
    server.version = 50;
    const run = server.runs.get('run-0')!;
    server.runs.set('run-0', { ...run, status: { ...run.status, phase: 'RUNNING' } });
    server.tell('MODIFIED', 'run-0');
    server.version = version;
    await server.clock.go(16);
    assert.equal(server.store.runs.get('run-0')?.status.phase, 'SUCCEEDED');
  });

  test('grow page by page', async () => {
    const server = await started(120);
    assert.equal(server.store.runs.items.length, 50);
    assert.ok(server.store.runs.more);
    await server.store.runs.loadMore();
    await server.store.runs.loadMore();
    assert.equal(server.store.runs.items.length, 120);
    assert.ok(!server.store.runs.more);
  });

  test('many changed runs are read as one list', async () => {
    const server = await started(20);
    server.asked.length = 0;
    for (let i = 0; i < 20; i++) {
      server.put(`run-${i}`, 'CANCELED');
    }
    await server.clock.go(100);
    assert.deepEqual(server.asked, ['runs?limit=50']);
  });
});

/** Runs as they were when the list was read, and what happens before its answer arrives. */
async function reading(path: string, meanwhile: (server: Server) => void): Promise<Server> {
  const server = await started(2);
  server.slow.add(path);
  const done = server.store.refresh();
  await server.clock.go(50);
  meanwhile(server);
  await server.clock.go(50);
  server.arrive();
  await done;
  await server.clock.go(200);
  return server;
}

const LIST = 'runs?limit=50';
const names = (server: Server) => server.store.runs.items.map(run => run.metadata.name);

describe('what happens while an answer is on its way', () => {
  test('a run that was deleted meanwhile does not come back with the list', async () => {
    const server = await reading(LIST, each => each.delete('run-1'));
    assert.deepEqual(names(server), ['run-0']);
    await server.clock.go(60_000);
    assert.deepEqual(names(server), ['run-0']);
  });

  test('nor does one that the very first list tells of', async () => {
    const server = new Server();
    server.put('run-0', 'SUCCEEDED', { silent: true });
    server.put('run-1', 'SUCCEEDED', { silent: true });
    server.slow.add(LIST);
    const done = server.store.refresh();
    await server.clock.go(10);
    server.delete('run-0');
    server.delete('run-1');
    server.arrive();
    await done;
    await server.clock.go(60_000);
    assert.deepEqual(names(server), []);
  });

  test('nor with the answer about it alone', async () => {
    const server = await started(2);
    server.slow.add('runs/run-9');
    server.put('run-9', 'RUNNING');
    await server.clock.go(60);
    server.delete('run-9');
    server.arrive();
    await server.clock.go(60_000);
    assert.deepEqual(names(server), ['run-1', 'run-0']);
  });

  test('one of the same name that was made again is shown', async () => {
    const server = await reading(LIST, each => {
      each.delete('run-1');
      each.put('run-1', 'RUNNING');
    });
    assert.deepEqual(names(server), ['run-1', 'run-0']);
    assert.equal(server.store.runs.get('run-1')?.status.phase, 'RUNNING');
  });

  test('a run that was made meanwhile stays', async () => {
    const server = await reading(LIST, each => each.put('run-9', 'RUNNING'));
    assert.deepEqual(names(server), ['run-9', 'run-1', 'run-0']);
  });

  test('a state that an event told is not taken back by an older list', async () => {
    const server = await reading(LIST, each => each.put('run-0', 'RUNNING'));
    assert.equal(server.store.runs.get('run-0')?.status.phase, 'RUNNING');
    assert.equal(server.store.runs.get('run-0')?.status.metrics?.from, server.version);
  });

  test('one answer that fails does not keep the others away', async () => {
    const server = await started(1);
    server.put('run-8', 'RUNNING');
    server.put('run-9', 'RUNNING');
    server.runs.delete('run-8');
    await server.clock.go(100);
    assert.deepEqual(names(server), ['run-9', 'run-0']);
  });

  test('an event lost between list and socket is found though a later one was heard', async () => {
    const server = await started(2);
    server.runs.delete('run-1');
    server.version += 1;
    server.put('run-0', 'RUNNING');
    await server.clock.go(200);
    await server.clock.go(70_000);
    assert.deepEqual(names(server), ['run-0']);
  });
});

describe('connection', () => {
  test('a server that does not answer is asked again, slower and slower; shown stays', async () => {
    const server = await started();
    server.failure = AWAY;
    await server.store.refresh();
    assert.equal(server.store.connection, 'away');
    assert.equal(server.store.runs.items.length, 3);
    server.asked.length = 0;
    await server.clock.go(60_000);
    const tries = server.asked.filter(path => path === 'status').length;
    assert.ok(tries >= 5 && tries <= 10, `${tries} tries in a minute`);
    server.failure = null;
    server.put('run-9', 'RUNNING', { silent: true });
    await server.clock.go(16_000);
    assert.equal(server.store.connection, 'live');
    assert.ok(server.store.runs.get('run-9'));
  });

  test('a missed event is noticed by the next beat', async () => {
    const server = await started();
    server.put('run-0', 'RUNNING', { silent: true });
    await server.clock.go(17_000);
    assert.equal(server.store.runs.get('run-0')?.status.phase, 'RUNNING');
    assert.equal(server.store.connection, 'polling');
    server.put('run-0', 'SUCCEEDED', { silent: true });
    await server.clock.go(4_500);
    assert.equal(server.store.runs.get('run-0')?.status.phase, 'SUCCEEDED');
    server.put('run-0', 'RUNNING');
    assert.equal(server.store.connection, 'live');
  });

  test('an event that is only late does not start polling', async () => {
    const server = await started();
    server.put('run-0', 'RUNNING', { silent: true });
    await server.clock.go(15_100);
    server.tell('MODIFIED', 'run-0');
    await server.clock.go(1_000);
    assert.equal(server.store.connection, 'live');
  });

  test('nothing is asked while nobody can see it', async () => {
    const server = await started();
    server.hidden = true;
    await server.clock.go(20_000);
    server.asked.length = 0;
    await server.clock.go(600_000);
    assert.deepEqual(server.asked, []);
    server.hidden = false;
    server.put('run-8', 'RUNNING', { silent: true });
    server.store.wake();
    await server.clock.go(100);
    assert.ok(server.store.runs.get('run-8'));
  });

  test('a page without its server part says what to install', async () => {
    const server = new Server();
    server.failure = new KubeflowError('404', { status: 404 });
    await server.store.refresh();
    assert.equal(server.store.trouble?.message, 'not installed');
  });

  test('a server of another version is said, and its runs are shown all the same', async () => {
    const server = new Server();
    server.serverVersion = '0.2.0';
    server.put('run-0', 'RUNNING', { silent: true });
    await server.store.refresh();
    assert.equal(server.store.trouble?.status, 409);
    assert.equal(server.store.runs.items.length, 1);
  });
});

describe('a watched run', () => {
  test('shows steps from the event and reads the rest', async () => {
    const server = await started();
    server.put('run-0', 'RUNNING', { steps: [{ name: 'a', state: 'PENDING' }], silent: true });
    const watch = server.store.watch('run-0');
    await server.clock.go(10);
    server.put('run-0', 'RUNNING', { steps: [{ name: 'a', state: 'RUNNING' }] });
    assert.equal(watch.run?.status.steps?.[0].state, 'RUNNING');
    assert.ok(watch.run?.status.steps?.[0].startedAt);
    await server.clock.go(300);
    assert.equal(watch.run?.status.metrics?.from, server.version);
    watch.dispose();
  });

  test('is asked for again when an event overtook the very first answer', async () => {
    const server = await started();
    server.put('run-0', 'RUNNING', { steps: [{ name: 'a', state: 'PENDING' }], silent: true });
    server.slow.add('runs/run-0');
    const watch = server.store.watch('run-0');
    await server.clock.go(10);
    server.put('run-0', 'RUNNING', { steps: [{ name: 'a', state: 'RUNNING' }] });
    const state = () => watch.run?.status.steps?.[0].state;
    assert.equal(state(), undefined);
    server.arrive();
    await server.clock.go(400);
    assert.equal(state(), 'RUNNING');
    server.asked.length = 0;
    await server.clock.go(3_000);
    assert.deepEqual(server.asked, [], 'once is enough');
    watch.dispose();
  });

  test('is asked for at most every 200 ms however many events come', async () => {
    const server = await started();
    const watch = server.store.watch('run-0');
    await server.clock.go(10);
    server.asked.length = 0;
    for (let i = 0; i < 50; i++) {
      server.put('run-0', 'RUNNING', { steps: [{ name: `s${i}`, state: 'RUNNING' }] });
      await server.clock.go(20);
    }
    const asked = server.asked.filter(path => path === 'runs/run-0').length;
    assert.ok(asked <= 8, `asked ${asked} times in a second`);
    watch.dispose();
  });

  test('says when it was deleted, and nothing after it was disposed', async () => {
    const server = await started();
    const watch = server.store.watch('run-0');
    await server.clock.go(10);
    server.delete('run-0');
    assert.equal(watch.error?.status, 404);
    watch.dispose();
    let calls = 0;
    watch.changed.connect(() => (calls += 1));
    server.put('run-0', 'RUNNING');
    await server.clock.go(500);
    assert.equal(calls, 0);
  });
});

describe('other kinds', () => {
  test('are read only where the server has them, and fail alone', async () => {
    const server = await started();
    assert.ok(!server.asked.some(path => path.startsWith('trainjobs')));
    server.capabilities = { training: { available: true }, tuning: { available: false } };
    await server.store.refresh();
    await server.store.refresh();
    assert.ok(server.asked.some(path => path.startsWith('trainjobs')));
    assert.ok(!server.asked.some(path => path.startsWith('experiments')));
    assert.equal(server.store.connection, 'live');
    assert.equal(server.store.list('TrainJob').error?.status, 404);
    assert.equal(server.store.runs.items.length, 3);
  });

  test('begin anew when they come from another cluster, whose versions say nothing of the others', async () => {
    const server = await started();
    const at = (version: number, name: string): IWork => ({
      kind: 'TrainJob',
      metadata: { name, uid: `${name}-${version}`, resourceVersion: `${version}` },
      spec: {},
      status: { phase: 'RUNNING' }
    });
    const names = () => server.store.list('TrainJob').items.map(item => item.metadata.name);
    const moved = { type: 'MODIFIED' as const, kind: 'Cluster', uid: '', resourceVersion: 0 };
    server.capabilities = { training: { available: true } };
    server.cluster = { kind: 'kubernetes', name: 'a', namespace: 'x', kinds: ['TrainJob'] };
    server.jobs.set('mnist', at(8_999, 'mnist'));
    server.emit({ ...moved, name: 'a' });
    await server.clock.go(100);
    assert.deepEqual(names(), ['mnist']);
    // A later run of this machine has a lower version, and is news all the same.
    server.version = 150;
    server.put('run-9', 'RUNNING');
    await server.clock.go(100);
    assert.ok(server.store.runs.get('run-9'));
    // Of the other cluster everything is older by number, and shown.
    server.cluster = { ...server.cluster, name: 'b' };
    server.clusterVersion = 50;
    server.jobs.clear();
    server.jobs.set('mnist', at(40, 'mnist'));
    server.jobs.set('iris', at(41, 'iris'));
    server.emit({ ...moved, name: 'b' });
    await server.clock.go(100);
    assert.deepEqual(names(), ['mnist', 'iris']);
    assert.equal(server.store.list('TrainJob').version, 50);
  });

  test('runs of a cluster that is left go, although their versions are later', async () => {
    const server = await started();
    const moved = { type: 'MODIFIED' as const, kind: 'Cluster', uid: '', resourceVersion: 0 };
    const names = () => server.store.runs.items.map(run => run.metadata.name);
    const own = names();
    const version = server.version;
    server.cluster = { kind: 'kubernetes', name: 'a', namespace: 'x' };
    server.version = 5_000;
    server.put('there', 'RUNNING');
    server.emit({ ...moved, name: 'a' });
    await server.clock.go(100);
    assert.deepEqual(names(), ['there', ...own]);
    server.cluster = { kind: 'local' };
    server.runs.delete('there');
    server.version = version;
    server.emit({ ...moved, name: 'local' });
    await server.clock.go(100);
    assert.deepEqual(names(), own);
    // What is missed here is missed by the numbers of here.
    server.put('here', 'RUNNING', { silent: true });
    await server.clock.go(20_000);
    assert.deepEqual(names(), ['here', ...own]);
  });

  test('a list says why it is not all there is, until it is', async () => {
    const server = await started();
    let drawn = 0;
    server.store.runs.changed.connect(() => {
      drawn += 1;
    });
    server.notice = 'It does not answer.';
    await server.store.refresh();
    await server.clock.go(100);
    assert.deepEqual([server.store.runs.notice, drawn], ['It does not answer.', 1]);
    assert.equal(server.store.runs.error, null);
    server.notice = undefined;
    await server.store.refresh();
    await server.clock.go(100);
    assert.deepEqual([server.store.runs.notice, drawn], ['', 2]);
  });

  test('show their events, each in its own list', async () => {
    const server = await started();
    const heard: string[] = [];
    server.store.heard.connect((_, event) => {
      heard.push(event.kind);
    });
    server.jobs.set('run-0', {
      kind: 'TrainJob',
      metadata: { name: 'run-0', uid: 'job', resourceVersion: '200' },
      spec: {},
      status: { phase: 'RUNNING', progress: 0.1 }
    });
    const event = { kind: 'TrainJob', name: 'run-0', uid: 'job', phase: 'RUNNING' as const };
    server.emit({ ...event, type: 'ADDED', resourceVersion: 200 });
    await server.clock.go(100);
    server.emit({ ...event, type: 'MODIFIED', resourceVersion: 201, progress: 0.7 });
    await server.clock.go(16);
    assert.equal(server.store.list('TrainJob').get('run-0')?.status.progress, 0.7);
    assert.equal(server.store.runs.get('run-0')?.status.phase, 'SUCCEEDED');
    assert.deepEqual(heard, ['TrainJob', 'TrainJob']);
    // What the events do not tell is read now and then, however many of them come.
    server.asked.length = 0;
    for (let version = 202; version < 210; version++) {
      server.emit({ ...event, type: 'MODIFIED', resourceVersion: version, progress: 0.8 });
      await server.clock.go(1_000);
    }
    const asked = server.asked.filter(path => path === 'trainjobs/run-0').length;
    assert.ok(asked >= 1 && asked <= 3, `asked ${asked} times in eight seconds`);
    server.emit({ kind: 'Trial', name: 't', uid: 't', type: 'ADDED', resourceVersion: 300 });
    assert.equal(heard.length, 11);
    assert.equal(server.store.list('Trial').items.length, 0);
  });

  test('one of them is followed in full', async () => {
    const server = await started();
    server.jobs.set('fit', {
      kind: 'TrainJob',
      metadata: { name: 'fit', uid: 'job', resourceVersion: '200' },
      spec: {},
      status: { phase: 'RUNNING' }
    });
    const watch = server.store.follow('TrainJob', 'fit');
    await server.clock.go(10);
    assert.equal(watch.item?.status.phase, 'RUNNING');
    const event = { kind: 'TrainJob', name: 'fit', uid: 'job', type: 'MODIFIED' as const };
    server.emit({ ...event, resourceVersion: 201, phase: 'FAILED', reason: 'Rank 1 failed.' });
    assert.equal(watch.item?.status.reason, 'Rank 1 failed.');
    assert.ok(watch.item?.status.completionTime);
    watch.dispose();
  });
});

const MODEL = {
  kind: 'RegisteredModel',
  metadata: { name: 'iris @ home/2', uid: '1', resourceVersion: 5 },
  spec: {},
  status: {}
};

async function withModels(): Promise<Server> {
  const server = await started();
  server.capabilities = { registry: { available: true } };
  server.jobs.set(MODEL.metadata.name, MODEL);
  await server.store.refresh();
  await server.clock.go(50);
  return server;
}

describe('a kind with a store of its own', () => {
  const told = { kind: 'RegisteredModel', name: MODEL.metadata.name, uid: '1' };

  test('has versions of its own, which hide no missed event of the others', async () => {
    const server = await withModels();
    server.emit({ ...told, type: 'MODIFIED', resourceVersion: 9_000 });
    server.put('run-0', 'RUNNING', { silent: true });
    await server.clock.go(17_000);
    assert.equal(server.store.runs.get('run-0')?.status.phase, 'RUNNING');
  });

  test('is read at once when an event tells of it, whatever its name', async () => {
    const server = await withModels();
    server.jobs.set(MODEL.metadata.name, {
      ...MODEL,
      metadata: { ...MODEL.metadata, resourceVersion: 6 },
      spec: { description: 'flowers' }
    });
    server.emit({ ...told, type: 'MODIFIED', resourceVersion: 6 });
    await server.clock.go(60);
    const list = server.store.list('RegisteredModel');
    assert.deepEqual(list.get(MODEL.metadata.name)?.spec, { description: 'flowers' });
    assert.ok(server.asked.includes('registeredmodels/iris%20%40%20home%2F2'));
  });

  test('is found changed by the beat where no event came', async () => {
    const server = await withModels();
    server.jobs.clear();
    server.modelVersion = 7;
    await server.clock.go(16_000);
    assert.equal(server.store.list('RegisteredModel').items.length, 0);
    assert.equal(server.store.connection, 'live');
  });

  test('that is down says so alone, keeps what it showed, and comes back', async () => {
    const server = await withModels();
    server.modelFailure = new KubeflowError('The registry does not answer.', {
      what: 'the registry does not answer',
      status: 503
    });
    await server.store.refresh();
    const list = server.store.list('RegisteredModel');
    assert.equal(server.store.connection, 'live');
    assert.equal(list.error?.status, 503);
    assert.equal(list.items.length, 1);
    server.modelFailure = null;
    await server.clock.go(16_000);
    assert.equal(list.error, null);
  });

  test('does not keep the page busy', async () => {
    const server = await withModels();
    server.put('run-0', 'FAILED', { silent: true });
    await server.clock.go(17_000);
    assert.equal(server.store.connection, 'polling');
    server.asked.length = 0;
    await server.clock.go(12_000);
    assert.deepEqual(server.asked, []);
  });
});

describe('what a search found beyond the loaded pages', () => {
  test('is known by name, follows its events, and is not in the list', async () => {
    const server = await started(60);
    const { runs } = server.store;
    assert.equal(runs.get('run-3'), undefined);
    runs.lend([server.runs.get('run-3')!]);
    assert.equal(runs.get('run-3')?.status.phase, 'SUCCEEDED');
    assert.equal(runs.items.length, 50);
    server.put('run-3', 'RUNNING');
    await server.clock.go(16);
    assert.equal(runs.get('run-3')?.status.phase, 'RUNNING');
    await runs.loadMore();
    assert.equal(runs.items.filter(run => run.metadata.name === 'run-3').length, 1);
    server.delete('run-3');
    assert.equal(runs.get('run-3'), undefined);
  });
});
