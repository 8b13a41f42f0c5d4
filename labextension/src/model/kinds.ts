/** A kind that the page keeps a live list of. */
export interface IKind {
  readonly kind: string;
  /** Under which the server answers. */
  readonly plural: string;
  /** Asked for only where the server has this; without, always. */
  readonly capability?: string;
  /** Kept in a store of its own, whose versions say nothing of the others'. */
  readonly apart?: boolean;
}

/** All of them. Trials are missing on purpose: an experiment has thousands, and its own view reads them. */
export const KINDS: readonly IKind[] = [
  { kind: 'Run', plural: 'runs' },
  { kind: 'RecurringRun', plural: 'recurringruns' },
  { kind: 'TrainJob', plural: 'trainjobs', capability: 'training' },
  { kind: 'PyTorchJob', plural: 'pytorchjobs', capability: 'training' },
  { kind: 'TFJob', plural: 'tfjobs', capability: 'training' },
  { kind: 'XGBoostJob', plural: 'xgboostjobs', capability: 'training' },
  { kind: 'SparkConnect', plural: 'sparkconnects', capability: 'spark' },
  { kind: 'SparkApplication', plural: 'sparkapplications', capability: 'spark' },
  {
    kind: 'ScheduledSparkApplication',
    plural: 'scheduledsparkapplications',
    capability: 'spark'
  },
  { kind: 'Experiment', plural: 'experiments', capability: 'tuning' },
  { kind: 'RegisteredModel', plural: 'registeredmodels', capability: 'registry', apart: true },
  { kind: 'InferenceService', plural: 'inferenceservices', capability: 'serving' }
];

export function pluralOf(kind: string): string {
  return KINDS.find(each => each.kind === kind)?.plural ?? `${kind.toLocaleLowerCase('en')}s`;
}
