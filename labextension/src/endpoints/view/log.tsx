import * as React from 'react';

import { useKubeflow } from '../../ui/context';
import { Log, PartSelect } from '../../ui/log';
import { variantsOf } from '../model/endpoint';
import type { IPaneProps } from './view';
import { endpointPath } from './view';

/** What the model servers of one variant, or all of them, printed. */
export function VariantLog(props: IPaneProps): JSX.Element {
  const { item, place } = props;
  const { trans } = useKubeflow();
  const { name } = item.metadata;
  const part = place.part ?? '';
  return (
    <Log
      source={{
        path: endpointPath(item),
        query: part ? { part } : undefined,
        file: part ? `${name}-${part}` : name
      }}
    >
      <PartSelect
        part={part}
        all={trans.__('All variants')}
        parts={variantsOf(item).map(({ name: variant }) => [variant, variant])}
        onPart={next => props.onPlace({ part: next })}
      />
    </Log>
  );
}
