import type { TranslationBundle } from '@jupyterlab/translation';

import type { IGraphData, IGraphNode } from '../../graph/model';
import type { RunState } from '../../model/types';
import type { ILineage, ILineageNode } from './types';

type Trans = Pick<TranslationBundle, '__'>;

const RUN_STATES = new Set<string>([
  'PENDING',
  'RUNNING',
  'SUCCEEDED',
  'SKIPPED',
  'FAILED',
  'CANCELING',
  'CANCELED',
  'PAUSED'
]);

/** What a person calls the kind of a node. */
export function kindWord(kind: string, trans: Trans): string {
  switch (kind) {
    case 'Data':
      return trans.__('Data');
    case 'Notebook':
      return trans.__('Notebook');
    case 'Cell':
      return trans.__('Cell');
    case 'Run':
      return trans.__('Run');
    case 'Step':
      return trans.__('Step');
    case 'Experiment':
      return trans.__('Experiment');
    case 'Trial':
      return trans.__('Trial');
    case 'Artifact':
      return trans.__('Files');
    case 'Version':
      return trans.__('Version');
    case 'InferenceService':
      return trans.__('Endpoint');
    default:
      return /Job$/.test(kind) ? trans.__('Training job') : kind;
  }
}

/** Words that are no state of a run: `archived`, `serving`, `gone`. */
function stateNote(state: string | null | undefined, trans: Trans): string | null {
  switch (state) {
    case 'archived':
      return trans.__('archived');
    case 'serving':
      return trans.__('serves it');
    case 'gone':
      return trans.__('no longer serves it');
    default:
      return null;
  }
}

function nodeOf(node: ILineageNode, trans: Trans): IGraphNode {
  const state = node.state && RUN_STATES.has(node.state) ? (node.state as RunState) : null;
  const parts = [kindWord(node.kind, trans)];
  // Of an address only the end tells something in so little room.
  const note = node.kind === 'Artifact' ? node.note?.split('/').pop() : node.note;
  const said = stateNote(node.state, trans) ?? note;
  if (said) {
    parts.push(said);
  }
  return {
    id: node.id,
    title: node.title,
    state,
    note: parts.join(' · '),
    left: node.state === 'gone' || (!node.ref && /not here/.test(node.note ?? '')),
    reason: node.note ?? undefined
  };
}

/** From data to endpoint, as the same boxes and lines as a pipeline. */
export function lineageGraph(lineage: ILineage, trans: Trans): IGraphData {
  const known = new Set(lineage.nodes.map(node => node.id));
  return {
    nodes: lineage.nodes.map(node => nodeOf(node, trans)),
    edges: lineage.edges
      .filter(edge => known.has(edge.source) && known.has(edge.target))
      .map(({ source, target, label }) => ({
        source,
        target,
        kind: label === 'copied' ? ('dynamic' as const) : ('data' as const),
        reason: label
      })),
    critical: []
  };
}
