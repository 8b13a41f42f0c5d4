import * as React from 'react';

import type { IDiffLine } from '../../model/diff';
import { isCompiled } from '../../model/actions';
import { diffLines, hunks } from '../../model/diff';
import type { IRun } from '../../model/types';
import { useFetched, useKubeflow, useTrans } from '../../ui/context';
import { Button, CopyButton, ErrorLine } from '../../ui/controls';
import { Highlighted } from '../../ui/highlight';

interface ICodeCell {
  index: number;
  id: string;
  source: string;
}

interface ICode {
  cells: ICodeCell[];
  now?: ICodeCell[] | null;
}

/** The cells as they were run, and what changed in the notebook since. */
export function StepCode(props: { run: IRun; step: string }): JSX.Element {
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { run, step } = props;
  const [diff, setDiff] = React.useState(false);
  const path = `runs/${encodeURIComponent(run.metadata.name)}/code/${encodeURIComponent(step)}`;
  const fetched = useFetched(path, signal => kubeflow.request<ICode>(path, { signal }));
  if (fetched.error) {
    return <ErrorLine error={fetched.error} onRetry={fetched.reload} />;
  }
  if (!fetched.value) {
    return <p className="jk-Quiet">{trans.__('Loading…')}</p>;
  }
  const { cells, now } = fetched.value;
  const changed = now ? join(now) !== join(cells) : false;
  const file = run.spec.pipeline?.path;
  return (
    <div className="jk-StepCode">
      <div className="jk-StepCode-bar">
        <span className="jk-Muted">
          {isCompiled(run)
            ? trans.__('As run.')
            : now === null || now === undefined
              ? trans.__('As run. The notebook does not have this step any more.')
              : changed
                ? trans.__('As run. The notebook has changed since.')
                : trans.__('As run; the notebook still has the same code.')}
        </span>
        {changed && (
          <Button
            label={trans.__('Changes since')}
            pressed={diff}
            onClick={() => {
              setDiff(!diff);
              fetched.reload();
            }}
          />
        )}
        <CopyButton text={join(cells)} label={trans.__('Copy code')} />
      </div>
      {diff && now ? (
        <Diff lines={hunks(diffLines(join(cells), join(now)))} />
      ) : (
        cells.map(cell => (
          <div key={cell.id || cell.index} className="jk-StepCode-cell">
            {isCompiled(run) ? null : file ? (
              <button
                type="button"
                className="jk-Link"
                onClick={() => void kubeflow.goToCell(file, { id: cell.id, index: cell.index })}
              >
                {trans.__('Cell %1', cell.index)}
              </button>
            ) : (
              <span className="jk-Muted">{trans.__('Cell %1', cell.index)}</span>
            )}
            <Highlighted code={cell.source} />
          </div>
        ))
      )}
    </div>
  );
}

function join(cells: readonly ICodeCell[]): string {
  return cells.map(cell => cell.source).join('\n\n');
}

/** Removed and added lines, told apart by sign as well as colour. */
export function Diff(props: { lines: (IDiffLine | null)[] }): JSX.Element {
  const trans = useTrans();
  const signs = { same: ' ', added: '+', removed: '-' };
  return (
    <pre className="jk-Diff" tabIndex={0} aria-label={trans.__('Changes')}>
      {props.lines.map((line, index) =>
        line ? (
          <div key={index} className={`jk-mod-${line.kind}`}>
            <span aria-hidden="true">{line.old ?? line.new ?? ''}</span>
            <span>{signs[line.kind]}</span>
            <code>{line.text}</code>
          </div>
        ) : (
          <div key={index} className="jk-mod-gap">
            ⋯
          </div>
        )
      )}
    </pre>
  );
}
