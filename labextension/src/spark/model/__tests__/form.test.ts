import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { FormValues } from '../form';
import {
  cellSource,
  formBody,
  formProblems,
  incomplete,
  neverFits,
  pluralFor,
  SPARK_DEFAULTS,
  whatFits
} from '../form';
import { TRANS } from './resource';

function values(more: Record<string, string | boolean> = {}): FormValues {
  return { ...SPARK_DEFAULTS, ...more };
}

describe('problems', () => {
  const cases: [string, string, boolean][] = [
    ['name', 'spark', true],
    ['name', 'Spark', false],
    ['cores', '2', true],
    ['cores', '0', false],
    ['cores', '0.5', false],
    ['executors', '3', true],
    ['executors', 'two', false],
    ['memory', '512m', true],
    ['memory', '2G', true],
    ['memory', '1.5g', false],
    ['memory', '100m', false],
    ['driverMemory', '4 Gi', true],
    ['driverMemory', 'lots', false],
    ['conf', 'spark.sql.shuffle.partitions = 8', true],
    ['conf', 'spark.sql.shuffle.partitions', false],
    ['conf', 'shuffle.partitions = 8', false],
    ['retries', '3', true],
    ['retries', 'often', false],
    ['schedule', '0 6 * * 1-5', true],
    ['schedule', '@daily', true],
    ['schedule', '@every 1h30m', true],
    ['schedule', 'every morning', false]
  ];
  for (const [name, text, good] of cases) {
    test(`${name} “${text}”`, () => {
      const typed = values({ what: 'file', when: 'clock', path: 'a.py', [name]: text });
      assert.deepEqual(Object.keys(formProblems(typed, TRANS)), good ? [] : [name]);
    });
  }

  test('what is not asked of a session is not looked at', () => {
    assert.deepEqual(
      formProblems(values({ retries: 'often', args: 'x', schedule: 'x' }), TRANS),
      {}
    );
  });

  test('what is missing is said', () => {
    assert.equal(incomplete(values(), TRANS), null);
    assert.ok(incomplete(values({ what: 'file' }), TRANS));
    assert.ok(incomplete(values({ what: 'file', path: 'a.jar' }), TRANS));
    assert.ok(incomplete(values({ what: 'code', source: ' ' }), TRANS));
    assert.equal(incomplete(values({ what: 'file', path: 'a.py' }), TRANS), null);
  });
});

describe('the request', () => {
  test('of a session says only what was said', () => {
    assert.equal(pluralFor(values()), 'sparkconnects');
    assert.deepEqual(formBody(values({ path: 'left.py', retries: '2' })), {
      executors: 1,
      memory: '1g',
      driverMemory: '1g'
    });
  });

  test('of a file has its command line', () => {
    const typed = values({
      what: 'file',
      path: 'prepare.py',
      arguments: '--day\n 7 \n\n',
      args: 'x = 1',
      conf: 'spark.sql.shuffle.partitions = 8\nspark.x = true',
      env: 'A = 1',
      packages: 'org.example:tool:1.0',
      retries: '2',
      cores: '2'
    });
    assert.equal(pluralFor(typed), 'sparkapplications');
    assert.deepEqual(formBody(typed), {
      path: 'prepare.py',
      arguments: ['--day', '7'],
      cores: 2,
      executors: 1,
      memory: '1g',
      driverMemory: '1g',
      conf: { 'spark.sql.shuffle.partitions': '8', 'spark.x': 'true' },
      env: { A: '1' },
      packages: ['org.example:tool:1.0'],
      retries: 2
    });
  });

  test('of a function has its arguments by name', () => {
    const body = formBody(
      values({ what: 'file', path: 'a.py', function: 'f', args: 'n = 3', arguments: '--day' })
    );
    assert.deepEqual(body.args, { n: 3 });
    assert.equal(body.arguments, undefined);
    assert.equal(body.function, 'f');
  });

  test('of a jar has its main class', () => {
    const typed = { what: 'file', path: 'a.jar', mainClass: 'org.example.Main', function: 'f' };
    const body = formBody(values(typed));
    assert.equal(body.mainClass, 'org.example.Main');
    assert.equal(body.function, undefined);
  });

  test('of a schedule says when', () => {
    const typed = values({ what: 'code', source: 'x', when: 'clock', timeZone: 'UTC' });
    assert.equal(pluralFor(typed), 'scheduledsparkapplications');
    const body = formBody(typed);
    assert.equal(body.schedule, '0 6 * * *');
    assert.equal(body.timeZone, 'UTC');
    assert.equal(body.concurrencyPolicy, 'Forbid');
  });
});

describe('what fits', () => {
  const machine = { cpuMilli: 4000, memoryBytes: 8e9, free: { cpuMilli: 1000 } };

  test('a session takes half of the cores where nothing is said', () => {
    assert.match(
      whatFits(values(), machine, TRANS) ?? '',
      /1 executor on 2 cores: 1 of 4 are free/
    );
    assert.match(whatFits(values(), machine, TRANS) ?? '', /2\.55 GB of memory/);
  });

  test('more than there is is said at its field', () => {
    const typed = values({ executors: '3', cores: '2' });
    assert.deepEqual(Object.keys(neverFits(typed, machine, TRANS)), ['cores']);
    assert.deepEqual(Object.keys(neverFits(values({ memory: '9g' }), machine, TRANS)), ['memory']);
    assert.deepEqual(neverFits(values({ memory: 'much' }), machine, TRANS), {});
    assert.deepEqual(neverFits(typed, null, TRANS), {});
  });
});

describe('a cell goes without its magic', () => {
  test('Python as it is', () =>
    assert.equal(cellSource('%%spark\nspark.range(3).show()\n'), 'spark.range(3).show()\n'));
  test('SQL as what runs it', () =>
    assert.equal(
      cellSource('%%spark --sql\nSELECT "a"\n'),
      'spark.sql("SELECT \\"a\\"").show()\n'
    ));
  test('another cell stays', () => assert.equal(cellSource('x = 1'), 'x = 1'));
});
