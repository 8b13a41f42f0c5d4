/** A kind that the page keeps a live list of. */
export interface IKind {
  readonly kind: string;
  /** Under which the server answers. */
  readonly plural: string;
  /** Asked for only where the server has this; without, always. */
  readonly capability?: string;
}

/** All of them. Trials are missing on purpose: an experiment has thousands, and its own view reads them. */
export const KINDS: readonly IKind[] = [
  { kind: 'Run', plural: 'runs' },
  { kind: 'RecurringRun', plural: 'recurringruns' },
  { kind: 'TrainJob', plural: 'trainjobs', capability: 'training' },
  { kind: 'PyTorchJob', plural: 'pytorchjobs', capability: 'training' },
  { kind: 'TFJob', plural: 'tfjobs', capability: 'training' },
  { kind: 'XGBoostJob', plural: 'xgboostjobs', capability: 'training' },
  { kind: 'Experiment', plural: 'experiments', capability: 'tuning' }
];

export function pluralOf(kind: string): string {
  return KINDS.find(each => each.kind === kind)?.plural ?? `${kind.toLocaleLowerCase('en')}s`;
}
