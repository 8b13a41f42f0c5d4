import * as React from 'react';

import { useTrans } from '../../ui/context';
import { ProblemRow } from '../cells/notes';
import type { NotebookController } from '../controller';

/** All problems of the notebook, worst first; each leads to its place. */
export function ProblemsPane(props: { controller: NotebookController }): JSX.Element {
  const { controller } = props;
  const trans = useTrans();
  const weight = { error: 0, warning: 1, info: 2 };
  const problems = [...(controller.model.pipeline?.problems ?? [])].sort(
    (left, right) => weight[left.severity] - weight[right.severity]
  );
  return (
    <div className="jk-Bar-pane" role="region" aria-label={trans.__('Problems')}>
      {problems.length === 0 && (
        <p className="jk-Bar-empty">{trans.__('No problems: the notebook runs as a pipeline.')}</p>
      )}
      <ul className="jk-Bar-list">
        {problems.map((problem, index) => (
          <li key={`${index} ${problem.code}`}>
            <ProblemRow
              problem={problem}
              withPlace
              onFix={item => controller.fix(item)}
              onGoTo={item => void controller.goToProblem(item)}
            />
          </li>
        ))}
      </ul>
    </div>
  );
}
