import * as React from 'react';

import { bytes } from '../../format';
import { useKubeflow } from '../../ui/context';
import { AsCode } from '../../ui/codeforms';
import { Facts } from '../../ui/facts';
import { annotation, argumentsOf, askedOf, isSession } from '../model/app';
import { leased } from '../model/memory';
import type { ISpark } from '../model/types';

type Rows = [string, string][];

/** What was asked for, and the same as code. */
export function Settings(props: { app: ISpark }): JSX.Element {
  const { app } = props;
  const { trans } = useKubeflow();
  const { spec } = app;
  const parts: [string, Rows, boolean][] = [
    [trans.__('Asked for'), asked(app, trans), false],
    [
      trans.__('Arguments'),
      [
        ...Object.entries(argumentsOf(app)).map(([name, value]): [string, string] => [
          name,
          JSON.stringify(value)
        ]),
        ...(spec.arguments ?? []).map((word, index): [string, string] => [String(index + 1), word])
      ],
      true
    ],
    [
      trans.__('Settings of Spark'),
      Object.entries({ ...spec.sparkConf, ...spec.hadoopConf }) as Rows,
      true
    ],
    [
      trans.__('Goes along'),
      Object.entries(spec.deps ?? {}).map(([name, items]) => [name, items.join('\n')]),
      true
    ],
    [
      trans.__('Environment'),
      (spec.driver?.env ?? []).map(({ name, value }) => [name, value ?? '']),
      true
    ]
  ];
  return (
    <div className="jk-Summary">
      {parts
        .filter(([, rows]) => rows.length)
        .map(([title, rows, code]) => (
          <section key={title} aria-label={title}>
            <h2 className="jk-SmallTitle">{title}</h2>
            <Facts rows={rows} code={code} />
          </section>
        ))}
      <AsCode
        item={app}
        label={
          isSession(app) ? trans.__('This session as code') : trans.__('This application as code')
        }
      />
    </div>
  );
}

function asked(app: ISpark, trans: ReturnType<typeof useKubeflow>['trans']): Rows {
  const { spec } = app;
  const given = askedOf(app);
  const { cores, memory } = leased(given);
  const rows: Rows = [
    [trans.__('Executors'), String(given.executors)],
    [trans.__('Cores of each'), String(given.cores)],
    [trans.__('Memory of each'), spec.executor?.memory ?? '1g'],
    [trans.__('Memory of the driver'), (spec.server ?? spec.driver)?.memory ?? '1g'],
    [trans.__('All together'), `${trans._n('%1 core', '%1 cores', cores)}, ${bytes(memory)}`]
  ];
  // Of a cell or function it is only a name within its snapshot.
  if (spec.mainApplicationFile && !annotation(app, 'code')) {
    rows.push([trans.__('File'), spec.mainApplicationFile.replace(/^local:\/\//, '')]);
  }
  if (spec.mainClass) {
    rows.push([trans.__('Main class'), spec.mainClass]);
  }
  if (spec.restartPolicy?.onFailureRetries) {
    rows.push([trans.__('Tries again'), String(spec.restartPolicy.onFailureRetries)]);
  }
  if (spec.sparkVersion) {
    rows.push([trans.__('Spark'), spec.sparkVersion]);
  }
  return rows;
}
