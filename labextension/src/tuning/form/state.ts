import * as React from 'react';

import type { IFormProps } from '../../kinds';
import { useFetched, useSignal } from '../../ui/context';
import type { IDraft } from '../model/draft';
import { directionOf, EMPTY_DRAFT, metricsIn } from '../model/draft';
import { rowOf } from '../model/space';
import type { ISource, ISources } from './sources';
import { bodyText, fileSource, notebookSource } from './sources';

export type Change = (part: Partial<IDraft>) => void;

export interface IFormState {
  readonly draft: IDraft;
  readonly change: Change;
  readonly source: ISource | null;
  readonly error: unknown;
  readonly file: boolean;
  readonly setFile: (file: boolean) => void;
  readonly choose: (name: string) => void;
}

/** Typing in a cell is over after so many milliseconds. */
const PAUSE = 300;

/** The notebook in front as it stands: read again when it is another, was loaded or was edited. */
function useNotebook(sources: ISources): ISource | null {
  const { notebooks } = sources;
  const front = useSignal(notebooks?.currentChanged);
  const [round, setRound] = React.useState(0);
  React.useEffect(() => {
    const panel = notebooks?.currentWidget;
    const model = panel?.content.model;
    let timer = 0;
    const soon = () => {
      window.clearTimeout(timer);
      timer = window.setTimeout(() => setRound(value => value + 1), PAUSE);
    };
    model?.contentChanged.connect(soon);
    panel?.content.modelChanged.connect(soon);
    return () => {
      window.clearTimeout(timer);
      model?.contentChanged.disconnect(soon);
      panel?.content.modelChanged.disconnect(soon);
    };
  }, [notebooks, front, round]);
  return React.useMemo(
    () => notebookSource(sources),
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [sources, front, round]
  );
}

/** The draft, and the source from which its function is chosen. */
export function useDraft(props: IFormProps & { sources: ISources }): IFormState {
  const { sources, given } = props;
  const [draft, setDraft] = React.useState<IDraft>(() => ({
    ...EMPTY_DRAFT,
    ...(given as Partial<IDraft> | undefined)
  }));
  const change = React.useCallback<Change>(part => setDraft(old => ({ ...old, ...part })), []);
  const here = useNotebook(sources);
  const [file, setFile] = React.useState(here === null);
  const wanted = file && /\.py$/.test(draft.path) ? draft.path : null;
  const read = useFetched(wanted, () => fileSource(sources, wanted ?? ''));
  const source = file ? read.value : here;
  const choose = React.useCallback(
    (name: string) => {
      const found = source?.functions.find(each => each.name === name);
      const metrics = source && found ? metricsIn(bodyText(source, name)) : [];
      const metric = metrics[0];
      change({
        function: name,
        rows: (found?.arguments ?? []).map(rowOf),
        ...(metric ? { metric, direction: directionOf(metric) } : {})
      });
    },
    [source, change]
  );
  const path = file ? draft.path : (here?.path ?? '');
  React.useEffect(() => {
    if (path !== draft.path) {
      change({ path });
    }
  }, [path, draft.path, change]);
  React.useEffect(() => {
    const known = source?.functions.some(each => each.name === draft.function);
    if (source && !known) {
      const usual = source.functions.find(each => /train|fit|objective|score/i.test(each.name));
      choose((usual ?? source.functions[source.functions.length - 1])?.name ?? '');
    }
  }, [source, draft.function, choose]);
  return { draft, change, source, error: read.error, file, setFile, choose };
}
