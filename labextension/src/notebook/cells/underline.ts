import type { Cell } from '@jupyterlab/cells';
import type { CodeMirrorEditor } from '@jupyterlab/codemirror';
import type { Text } from '@codemirror/state';
import { StateEffect, StateField } from '@codemirror/state';
import type { DecorationSet } from '@codemirror/view';
import { Decoration, EditorView } from '@codemirror/view';

import type { IProblem } from '../../model/types';

const setProblems = StateEffect.define<readonly IProblem[]>();

const underlines = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update: (marks, transaction) => {
    let now = marks.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (effect.is(setProblems)) {
        now = Decoration.set(
          effect.value.flatMap(problem => mark(problem, transaction.state.doc)),
          true
        );
      }
    }
    return now;
  },
  provide: field => EditorView.decorations.from(field)
});

/** Underline the places that problems tell, and nothing else. */
export function underline(cell: Cell, problems: readonly IProblem[]): void {
  const view = (cell.editor as Partial<CodeMirrorEditor> | null)?.editor;
  if (!view) {
    return;
  }
  const known = view.state.field(underlines, false);
  if (known === undefined && !problems.length) {
    return;
  }
  const effects: StateEffect<unknown>[] = [setProblems.of(problems)];
  if (known === undefined) {
    effects.unshift(StateEffect.appendConfig.of(underlines));
  }
  view.dispatch({ effects });
}

function mark(problem: IProblem, doc: Text) {
  const place = span(problem, doc);
  if (!place) {
    return [];
  }
  const decoration = Decoration.mark({
    class: `jk-Underline jk-mod-${problem.severity}`,
    attributes: { title: problem.message }
  });
  return [decoration.range(place.from, place.to)];
}

/** The word at line and column (from 1), or the line's code if there is no column. */
function span(problem: IProblem, doc: Text): { from: number; to: number } | null {
  if (!problem.line || problem.line > doc.lines || problem.severity === 'info') {
    return null;
  }
  const line = doc.line(problem.line);
  if (problem.column) {
    const start = problem.column - 1;
    const word = /^(?:[\p{L}\p{N}_]+|\S)/u.exec(line.text.slice(start))?.[0];
    if (word) {
      return { from: line.from + start, to: line.from + start + word.length };
    }
  }
  const code = line.text.trim();
  const from = line.from + line.text.indexOf(code);
  return code ? { from, to: from + code.length } : null;
}
