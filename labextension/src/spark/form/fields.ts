import type { TranslationBundle } from '@jupyterlab/translation';

import type { IMachine } from '../../model/machine';
import { roomWords } from '../../model/machine';
import type { IField } from '../../ui/form';
import type { FormValues } from '../model/form';
import { isBatch, isJar, isScheduled, takesNames } from '../model/form';

/** The questions of `spark.session` and `spark.submit`, in their order. */
export function fieldsOf(
  values: FormValues,
  machine: IMachine | null,
  trans: TranslationBundle
): IField[] {
  return isBatch(values)
    ? [
        ...programFields(values, trans),
        ...sizeFields(values, machine, trans),
        ...clockFields(values, trans),
        ...batchFields(trans)
      ]
    : [...sizeFields(values, machine, trans), ...sessionFields(trans)];
}

function programFields(values: FormValues, trans: TranslationBundle): IField[] {
  const names: IField = {
    name: 'args',
    label: trans.__('Arguments'),
    kind: 'lines',
    placeholder: 'day = 7\nmonth = "May"',
    help: trans.__('One a line, by name.')
  };
  if (values.what === 'code') {
    return [
      {
        name: 'source',
        label: trans.__('Code'),
        kind: 'code',
        placeholder: 'spark.range(1000).selectExpr("sum(id)").show()',
        help: trans.__('Runs on its own, with “spark” there: it imports what it needs.')
      },
      names
    ];
  }
  const jar = isJar(values);
  return [
    {
      name: 'path',
      label: trans.__('File'),
      kind: 'text',
      placeholder: 'prepare.py',
      help: trans.__('A Python file, whose modules travel with it, or a .jar.')
    },
    jar
      ? {
          name: 'mainClass',
          label: trans.__('Main class'),
          kind: 'text',
          placeholder: 'org.example.Main'
        }
      : {
          name: 'function',
          label: trans.__('Function'),
          kind: 'text',
          placeholder: trans.__('the whole file'),
          help: trans.__('Called in the driver; what it returns comes back.')
        },
    takesNames(values)
      ? names
      : {
          name: 'arguments',
          label: trans.__('Arguments'),
          kind: 'lines',
          placeholder: '--day\n7',
          help: trans.__('One a line, as the file’s command line.')
        }
  ];
}

function sizeFields(
  values: FormValues,
  machine: IMachine | null,
  trans: TranslationBundle
): IField[] {
  const room = roomWords(machine, trans);
  const batch = isBatch(values);
  return [
    {
      name: 'name',
      label: trans.__('Name'),
      kind: 'text',
      placeholder: batch ? trans.__('made up') : 'spark',
      half: true
    },
    {
      name: 'executors',
      label: trans.__('Executors'),
      kind: 'number',
      half: true,
      placeholder: '1'
    },
    {
      name: 'cores',
      label: trans.__('Cores of each'),
      kind: 'number',
      placeholder: batch ? '1' : trans.__('half of all'),
      help: room.cpu,
      half: true
    },
    {
      name: 'memory',
      label: trans.__('Memory of each'),
      kind: 'text',
      placeholder: '1g',
      help: room.memory,
      half: true
    },
    {
      name: 'driverMemory',
      label: trans.__('Memory of the driver'),
      kind: 'text',
      placeholder: '1g',
      half: true,
      more: true
    },
    {
      name: 'conf',
      label: trans.__('Settings of Spark'),
      kind: 'lines',
      placeholder: 'spark.sql.shuffle.partitions = 8',
      more: true
    }
  ];
}

function sessionFields(trans: TranslationBundle): IField[] {
  return [
    {
      name: 'idle',
      label: trans.__('Ends when idle for'),
      kind: 'text',
      placeholder: '12h',
      help: trans.__('Such as 30m or 12h; “never” keeps it until it is stopped.'),
      half: true,
      more: true
    }
  ];
}

function clockFields(values: FormValues, trans: TranslationBundle): IField[] {
  const when: IField = {
    name: 'when',
    label: trans.__('When'),
    kind: 'choice',
    choices: [
      ['now', trans.__('Now')],
      ['clock', trans.__('By the clock')]
    ],
    half: true
  };
  if (!isScheduled(values)) {
    return [when];
  }
  return [
    when,
    {
      name: 'schedule',
      label: trans.__('Schedule'),
      kind: 'text',
      placeholder: '0 6 * * 1-5',
      help: trans.__('Minute, hour, day, month, weekday; or @daily, @every 1h30m.')
    },
    {
      name: 'timeZone',
      label: trans.__('Time zone'),
      kind: 'text',
      placeholder: 'Europe/Zurich',
      half: true
    },
    {
      name: 'concurrencyPolicy',
      label: trans.__('While the last one runs'),
      kind: 'choice',
      choices: [
        ['Forbid', trans.__('Wait for the next time')],
        ['Allow', trans.__('Start another')],
        ['Replace', trans.__('Stop it first')]
      ],
      half: true
    }
  ];
}

function batchFields(trans: TranslationBundle): IField[] {
  return [
    {
      name: 'retries',
      label: trans.__('Tries again'),
      kind: 'number',
      placeholder: '0',
      half: true,
      more: true
    },
    {
      name: 'env',
      label: trans.__('Environment'),
      kind: 'lines',
      placeholder: 'NAME = value',
      more: true
    },
    {
      name: 'packages',
      label: trans.__('Maven packages'),
      kind: 'lines',
      placeholder: 'org.apache.spark:spark-avro_2.13:4.0.0',
      help: trans.__('One a line; Spark fetches them.'),
      more: true
    },
    {
      name: 'jars',
      label: trans.__('Jars'),
      kind: 'lines',
      placeholder: 'lib/tool.jar',
      more: true
    },
    {
      name: 'pyFiles',
      label: trans.__('More Python files'),
      kind: 'lines',
      placeholder: 'common.zip',
      more: true
    }
  ];
}
