import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { cardText } from '../card';
import { versionSections } from '../compare';
import { VersionFeed } from '../feed';
import {
  draftProblems,
  draftWords,
  incomplete,
  nameOf,
  registerBody,
  REGISTER_DEFAULTS,
  registerProblems
} from '../form';
import { lineageGraph } from '../lineage';
import {
  aliasWords,
  compareCode,
  exampleTable,
  modelCode,
  modelNote,
  originOf,
  shapeText,
  sortedAliases,
  sortVersions,
  splitReference
} from '../model';
import type { IModel, IVersion, IVersionsPage } from '../types';

function format(text: string, ...values: unknown[]): string {
  return text.replace(/%(\d)/g, (_, at: string) => String(values[Number(at) - 1]));
}

const TRANS = {
  __: (text: string, ...values: unknown[]) => format(text, ...values),
  _n: (one: string, many: string, ...values: unknown[]) =>
    format(values[0] === 1 ? one : many, ...values)
};

function version(name: string, more: Partial<IVersion> = {}): IVersion {
  return {
    version: name,
    id: name,
    model: 'iris',
    state: 'LIVE',
    aliases: [],
    created: `2026-01-01T00:00:0${name.length}Z`,
    ...more
  };
}

function model(status: IModel['status'], spec: IModel['spec'] = {}): IModel {
  const metadata = { name: 'iris', uid: '1', resourceVersion: 3 };
  return { kind: 'RegisteredModel', metadata, spec, status };
}

describe('a model in one line', () => {
  test('tells its versions, champion, first metric and endpoints', () => {
    const champion = version('3', { metrics: { accuracy: 0.97123, loss: 0.1 } });
    const item = model({
      versions: 12,
      aliases: { champion: '3' },
      latest: version('12', { metrics: { accuracy: 0.5 } }),
      champion,
      endpoints: [{ name: 'shop' }]
    });
    assert.equal(modelNote(item, TRANS), '12 versions · champion 3 · accuracy 0.9712 · 1 endpoint');
  });

  test('tells which versions a search met', () => {
    const item = model({ versions: 2, aliases: { champion: '1' }, matches: ['1', '2'] });
    assert.equal(modelNote(item, TRANS), '2 versions · met: 1, 2');
  });

  test('says only that when it is archived', () => {
    assert.equal(modelNote(model({ versions: 2 }, { state: 'ARCHIVED' }), TRANS), 'Archived');
  });
});

describe('versions', () => {
  test('numbers sort as numbers, before names; what lacks a value comes last both ways', () => {
    const items = ['10', '9', 'beta', '1'].map(name => version(name));
    const names = (down: boolean) => sortVersions(items, 'version', down).map(one => one.version);
    assert.deepEqual(names(false), ['1', '9', '10', 'beta']);
    assert.deepEqual(names(true), ['beta', '10', '9', '1']);
    const measured = [
      version('1'),
      version('2', { metrics: { auc: 0.2 } }),
      version('3', { metrics: { auc: 0.9 } })
    ];
    const by = (down: boolean) =>
      sortVersions(measured, 'metric:auc', down).map(one => one.version);
    assert.deepEqual(by(false), ['2', '3', '1']);
    assert.deepEqual(by(true), ['3', '2', '1']);
  });

  test('the champion is named first', () => {
    assert.deepEqual(sortedAliases(['b', 'a', 'champion']), ['champion', 'a', 'b']);
  });

  test('come from a step, a job, another model, a notebook, or nobody knows', () => {
    const of = (lineage: Record<string, string>) => originOf(version('1', { lineage }));
    assert.deepEqual(of({ kind: 'Run', run: 'flights-7', step: 'train' }), {
      title: 'flights-7 · train',
      kind: 'Run',
      name: 'flights-7',
      place: { step: 'train' }
    });
    assert.deepEqual(of({ kind: 'TrainJob', run: 'fit', step: 'rank-0' }), {
      title: 'fit',
      kind: 'TrainJob',
      name: 'fit'
    });
    assert.deepEqual(of({ 'copied-from': 'a:b:2', notebook: 'x.ipynb' }), {
      title: 'a:b:2',
      kind: 'RegisteredModel',
      name: 'a:b',
      place: { version: '2' }
    });
    assert.deepEqual(of({ notebook: 'x.ipynb', execution: '4' }), { title: 'x.ipynb [4]' });
    assert.equal(of({}), null);
  });

  test('a reference is taken apart at its last colon', () => {
    assert.deepEqual(splitReference('a:b:3'), { model: 'a:b', version: '3' });
    assert.deepEqual(splitReference('iris'), { model: 'iris', version: '' });
  });

  test('are written as code with names that need quotes', () => {
    assert.match(modelCode('it\'s "x"', '2'), /kf\.registry\.get\("it's \\"x\\":2"\)/);
    assert.match(compareCode(['a:1', 'b:2']), /compare\("a:1", "b:2"\)/);
  });
});

describe('an alias', () => {
  const aliases = { champion: '2' };
  test('says from where it moves', () => {
    assert.equal(aliasWords('champion', '3', aliases, TRANS).says, 'It moves here from version 2.');
    assert.equal(aliasWords('champion', '2', aliases, TRANS).problem, null);
    assert.equal(aliasWords('new', '3', aliases, TRANS).says, '');
  });
  for (const wrong of ['a b', 'a/b', '---', 'a:b', '😀']) {
    test(`cannot be ${wrong}`, () => assert.ok(aliasWords(wrong, '1', {}, TRANS).problem));
  }
  for (const right of ['champion', 'v1.2_rc-3', 'بطل', '冠军']) {
    test(`can be ${right}`, () => assert.equal(aliasWords(right, '1', {}, TRANS).problem, null));
  }
});

describe('signature and example', () => {
  test('any number of rows is a star', () => assert.equal(shapeText([-1, 4]), '[∗, 4]'));

  test('rows and columns are a table, one row of plain values too, tensors are not', () => {
    assert.deepEqual(
      exampleTable(
        [
          [1, 2],
          [3, null]
        ],
        ['a', 'b']
      ),
      [
        [1, 2],
        [3, null]
      ]
    );
    assert.deepEqual(exampleTable([1, 2]), [[1], [2]]);
    assert.equal(exampleTable([[[1], [2]]]), null);
    assert.equal(exampleTable({ a: 1 }), null);
    assert.equal(exampleTable([]), null);
  });
});

describe('lineage', () => {
  test('is drawn with words for kinds and states, and only with ends that exist', () => {
    const graph = lineageGraph(
      {
        nodes: [
          { id: 'd', kind: 'Data', title: 'train', note: 's3://x' },
          {
            id: 'r',
            kind: 'Run',
            title: 'flights-7',
            state: 'SUCCEEDED',
            ref: { kind: 'Run', name: 'flights-7' }
          },
          { id: 'v', kind: 'Version', title: 'iris:1', state: 'archived' },
          { id: 'e', kind: 'InferenceService', title: 'shop', state: 'gone' }
        ],
        edges: [
          { source: 'd', target: 'r', label: 'trained on' },
          { source: 'r', target: 'v' },
          { source: 'v', target: 'e' },
          { source: 'v', target: 'missing' }
        ]
      },
      TRANS
    );
    assert.deepEqual(
      graph.nodes.map(node => [node.state, node.note, Boolean(node.left)]),
      [
        [null, 'Data · s3://x', false],
        ['SUCCEEDED', 'Run', false],
        [null, 'Version · archived', false],
        [null, 'Endpoint · no longer serves it', true]
      ]
    );
    assert.equal(graph.edges.length, 3);
  });
});

describe('a comparison', () => {
  const row = (section: string, name: string, differs: boolean) => ({
    section,
    name,
    values: [1, differs ? 2 : 1],
    differs
  });
  const rows = [
    row('packages', 'numpy', false),
    row('packages', 'torch', true),
    row('parameters', 'C', false),
    row('metrics', 'loss', false),
    row('metrics', 'auc', true),
    row('data', 'train', true)
  ];

  test('has its sections in order, what differs first, and packages only where they differ', () => {
    const found = versionSections(rows, false);
    assert.deepEqual(
      found.map(({ name, rows: shown, same }) => [name, shown.map(one => one.name), same]),
      [
        ['metrics', ['auc', 'loss'], 0],
        ['parameters', ['C'], 0],
        ['data', ['train'], 0],
        ['packages', ['torch'], 1]
      ]
    );
  });

  test('may show the differences alone', () => {
    const names = versionSections(rows, true).map(section => section.name);
    assert.deepEqual(names, ['metrics', 'data', 'packages']);
  });
});

describe('a card', () => {
  test('loses its title, and its headings follow those of the view', () => {
    const text = '# iris\n\nFlowers.\n\n## Data\n\n```\n# code\n```\n\n### Last';
    const drawn = 'Flowers.\n\n### Data\n\n```\n# code\n```\n\n#### Last';
    assert.equal(cardText(text, 'iris'), drawn);
    assert.equal(cardText(drawn, 'iris'), drawn);
    assert.equal(cardText('# other\n###### deep', 'iris'), '### other\n###### deep');
    assert.equal(cardText('~~~~\n```\n# x\n~~~~\n# y', ''), '~~~~\n```\n# x\n~~~~\n### y');
    assert.equal(cardText('#no heading', ''), '#no heading');
    assert.equal(cardText('', 'iris'), '');
  });
});

describe('the form', () => {
  test('proposes the name of the file', () => {
    assert.equal(nameOf('models/iris.pkl'), 'iris');
    assert.equal(nameOf('a/model.tar.gz'), 'model');
    assert.equal(nameOf('saved_model/'), 'saved_model');
    assert.equal(nameOf('.pkl'), '.pkl');
    assert.equal(nameOf(''), '');
  });

  const values = { ...REGISTER_DEFAULTS, path: 'iris.pkl', name: 'iris' };

  test('sends nothing that was left empty', () => {
    assert.deepEqual(registerBody(values, null), { path: 'iris.pkl', name: 'iris' });
    const full = { ...values, alias: ' best ', metrics: 'auc = 0.9\nn = 3', parameters: 'lr = x' };
    assert.deepEqual(registerBody(full, { kind: 'Run', name: 'r', step: 's', value: 'm' }), {
      from: { kind: 'Run', name: 'r', step: 's', value: 'm' },
      name: 'iris',
      alias: 'best',
      metrics: { auc: 0.9, n: 3 },
      parameters: { lr: 'x' }
    });
  });

  test('says what is missing and what is wrong', () => {
    assert.match(incomplete(REGISTER_DEFAULTS, null, TRANS) ?? '', /file or folder/);
    assert.match(incomplete({ ...values, name: ' ' }, null, TRANS) ?? '', /name/);
    assert.equal(incomplete(values, null, TRANS), null);
    assert.match(registerProblems({ ...values, metrics: 'auc' }, TRANS).metrics, /NAME = VALUE/);
    assert.match(registerProblems({ ...values, metrics: 'a = b' }, TRANS).metrics, /not a number/);
    assert.ok(registerProblems({ ...values, alias: 'a b' }, TRANS).alias);
    assert.deepEqual(registerProblems(values, TRANS), {});
  });

  test('shows what the server would make of it', () => {
    const draft = { format: 'sklearn', version: '4', bytes: 2048, danger: 'a pickle' };
    assert.equal(
      draftWords(draft, TRANS),
      'version 4 · sklearn · 2.05 kB · may run code when it is read'
    );
    assert.equal(draftWords({}, TRANS), null);
    const problems = [{ field: 'model', message: 'there is no file', hint: 'Look again.' }];
    assert.deepEqual(draftProblems({ problems }), { path: 'there is no file Look again.' });
  });
});

describe('the feed of versions', () => {
  function page(names: string[], more = false): IVersionsPage {
    return { items: names.map(name => version(name)), more };
  }

  test('an old answer never replaces a new one', async () => {
    const answers: ((value: IVersionsPage) => void)[] = [];
    const feed = new VersionFeed(() => new Promise(resolve => answers.push(resolve)));
    const first = feed.refresh();
    const second = feed.refresh();
    answers[1](page(['2', '1']));
    await second;
    answers[0](page(['1']));
    await first;
    assert.deepEqual(
      feed.items.map(one => one.version),
      ['2', '1']
    );
  });

  test('reads on behind the last one, each once, and as many again after a change', async () => {
    const asked: unknown[] = [];
    const feed = new VersionFeed(async query => {
      asked.push(query);
      return query.before ? page(['2', '1']) : page(['3', '2'], true);
    });
    await feed.refresh();
    await feed.loadMore();
    assert.deepEqual(
      feed.items.map(one => one.version),
      ['3', '2', '1']
    );
    assert.equal(feed.more, false);
    assert.deepEqual(asked[1], { archived: true, limit: 50, before: '2' });
  });

  test('keeps what it shows when the registry is down, and says so', async () => {
    let down = false;
    const feed = new VersionFeed(async () => {
      if (down) {
        throw new Error('The registry does not answer.');
      }
      return page(['1']);
    });
    await feed.refresh();
    down = true;
    await feed.refresh();
    assert.equal(feed.items.length, 1);
    assert.equal(feed.error?.message, 'The registry does not answer.');
  });

  test('says nothing after it was disposed', async () => {
    const feed = new VersionFeed(async () => page(['1']));
    let told = 0;
    feed.changed.connect(() => (told += 1));
    const reading = feed.refresh();
    feed.dispose();
    await reading;
    assert.equal(told, 0);
  });
});
