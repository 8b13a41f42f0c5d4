import { knownState } from '../../model/states';
import type { Split } from './split';
import { rounded } from './split';
import type { IText } from '../../model/text';
import type { IEndpoint, IMirror, IVariant } from './types';

const OURS = 'jupyter-kubeflow.org/';
const STOP = 'serving.kserve.io/stop';

/** Those that are asked for, the stable one first; not what leaves, nor what only waits to be rolled back to. */
export function variantsOf(item: IEndpoint): readonly IVariant[] {
  return (item.status.variants ?? []).filter(
    variant => variant.state !== 'retired' && !variant.leaving
  );
}

/** The split that is in force while a change is not ready; null once it is. */
export function inForce(item: IEndpoint): Split | null {
  const { revisions = [], servingRevision } = item.status;
  const newest = Math.max(0, ...revisions.map(({ number }) => number));
  if (!servingRevision || servingRevision >= newest) {
    return null;
  }
  const traffic = revisions.find(({ number }) => number === servingRevision)?.traffic;
  const split = Object.entries(traffic ?? {}).map(([name, percent]) => ({ name, percent }));
  return split.length ? split : null;
}

/** Of the variants, in whole percents. */
export function splitOf(item: IEndpoint): Split {
  const variants = variantsOf(item);
  return variants.length ? rounded(variants) : [];
}

function annotation(item: IEndpoint, name: string): string | undefined {
  return item.metadata.annotations?.[OURS + name];
}

function parsed(text: string | undefined): unknown {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

export function stickyOf(item: IEndpoint): string {
  return annotation(item, 'sticky') ?? item.status.routing?.sticky ?? '';
}

export function mirrorOf(item: IEndpoint): IMirror | null {
  const said = (parsed(annotation(item, 'mirror')) ??
    item.status.routing?.mirror) as Partial<IMirror> | null;
  return said?.variant && Number(said.percent) > 0
    ? { variant: said.variant, percent: Number(said.percent) }
    : null;
}

export function isStopped(item: IEndpoint): boolean {
  const stop = item.metadata.annotations?.[STOP];
  return stop === 'true' || item.status.phase === 'CANCELED' || item.status.phase === 'PAUSED';
}

/** Where clients send their requests. */
export function urlOf(item: IEndpoint): string {
  return item.status.address?.url || item.status.url || '';
}

export interface IFailed {
  readonly name: string;
  readonly message: string;
  readonly traceback: string;
}

/** The variant whose model could not be loaded, and why. */
export function failedVariant(item: IEndpoint): IFailed | null {
  const failed = variantsOf(item).find(variant => variant.state === 'failed');
  const info = item.status.modelStatus?.lastFailureInfo;
  if (!failed) {
    return null;
  }
  const { type, message, traceback } = failed.error ?? {};
  const said = message ? (type ? `${type}: ${message}` : message) : '';
  const told = !info?.location || info.location === failed.name ? info?.message : '';
  return {
    name: failed.name,
    message: said || told || failed.reason || item.status.reason || '',
    traceback: traceback ?? ''
  };
}

export type Health = 'serving' | 'mixed' | 'starting' | 'asleep' | 'failed' | 'stopped';

/** How it stands for those who send requests. */
export function healthOf(item: IEndpoint): Health {
  const phase = knownState(item.status.phase);
  if (phase === 'FAILED') {
    return 'failed';
  }
  if (isStopped(item) || phase === 'CANCELING') {
    return 'stopped';
  }
  const variants = variantsOf(item);
  if (phase !== 'RUNNING') {
    return 'starting';
  }
  if (item.status.routing?.asleep || someAll(variants, 'asleep')) {
    return 'asleep';
  }
  return failedVariant(item) || variants.some(variant => variant.state !== 'ready')
    ? 'mixed'
    : 'serving';
}

function someAll(variants: readonly IVariant[], state: string): boolean {
  return variants.length > 0 && variants.every(variant => variant.state === state);
}

export function healthWord(health: Health, trans: IText): string {
  switch (health) {
    case 'serving':
      return trans.__('Serving');
    case 'mixed':
      return trans.__('Serving, not all of it');
    case 'starting':
      return trans.__('Starting');
    case 'asleep':
      return trans.__('Asleep');
    case 'failed':
      return trans.__('Failed');
    case 'stopped':
      return trans.__('Stopped');
  }
}

export const HEALTH_TONE: Record<Health, string> = {
  serving: 'good',
  mixed: 'wait',
  starting: 'run',
  asleep: 'off',
  failed: 'bad',
  stopped: 'off'
};

/** *v1 90 %, v2 10 %*. Only those with a share, unless none has one. */
export function splitText(split: Split): string {
  const some = split.filter(({ percent }) => percent > 0);
  return (some.length ? some : split)
    .map(({ name, percent }) => `${name}\u00a0${percent}\u00a0%`)
    .join(', ');
}

/** One line for a row: why it does not serve, or what does. */
export function endpointNote(item: IEndpoint, trans: IText): string {
  const health = healthOf(item);
  if (health === 'serving' || health === 'asleep') {
    const models = modelsText(item);
    const word = health === 'asleep' ? trans.__('asleep: the next request wakes it') : '';
    return [models, word].filter(Boolean).join(' · ');
  }
  return item.status.reason || healthWord(health, trans);
}

/** *iris:3, iris:4 10 %* */
function modelsText(item: IEndpoint): string {
  const variants = variantsOf(item);
  return variants
    .filter(({ percent }) => percent > 0 || variants.length === 1)
    .map(({ name, model, version, percent }) => {
      const what = model ? `${model}${version ? `:${version}` : ''}` : name;
      return percent >= 100 ? what : `${what} ${Math.round(percent)}\u00a0%`;
    })
    .join(', ');
}

export function words(item: IEndpoint): string {
  return variantsOf(item)
    .map(({ name, model, version }) => `${name} ${model ?? ''} ${model ?? ''}:${version ?? ''}`)
    .join(' ');
}

export type EndpointAction = 'stop' | 'start' | 'delete' | 'rollback' | 'code';

export function whyNot(action: EndpointAction, item: IEndpoint, trans: IText): string | null {
  const stopped = isStopped(item);
  switch (action) {
    case 'stop':
      return item.status.phase === 'CANCELING'
        ? trans.__('It is stopping already.')
        : stopped
          ? trans.__('It is stopped already.')
          : null;
    case 'start':
      return stopped ? null : trans.__('It is serving already.');
    case 'rollback':
      return item.status.revisions && item.status.revisions.length < 2
        ? trans.__('There is no earlier revision to go back to.')
        : null;
    default:
      return null;
  }
}

export function getCode(name: string): string {
  return `import jupyter_ext as kf\n\nendpoint = kf.serving.get(${JSON.stringify(name)})\nendpoint`;
}

/** The line of the table that names the model: *iris:3*. */
export function versionText(variant: IVariant): string {
  return variant.model
    ? `${variant.model}${variant.version ? `:${variant.version}` : ''}`
    : (variant.version ?? '–');
}
