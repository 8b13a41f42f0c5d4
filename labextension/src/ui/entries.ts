import * as React from 'react';

import type { ISection } from '../kinds';
import { splitKey } from '../model/merge';
import { useKubeflow } from './context';
import type { IEntry } from './menu';
import { actionEntries } from './menu';

/** What can be done to the resources of these keys, as entries of a menu. */
export function useEntries(section?: ISection): (keys: readonly string[]) => readonly IEntry[] {
  const kubeflow = useKubeflow();
  return React.useCallback(
    (keys: readonly string[]) => {
      const { kind } = splitKey(keys[0]);
      const view = kubeflow.sections.view(kind);
      const names = keys.map(key => splitKey(key).name);
      return view ? actionEntries(kubeflow, view, names, section?.compare) : [];
    },
    [kubeflow, section]
  );
}
