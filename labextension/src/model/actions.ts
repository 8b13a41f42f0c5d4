import { isFinished } from './states';
import type { IRun, RunState } from './types';

export type RunAction = 'stop' | 'resume' | 'rerun' | 'reproduce' | 'export' | 'delete';

/** Why an action cannot be done to a run now: a key for `whyNotText`, or null if it can. */
export type WhyNot = 'unknown' | 'finished' | 'stopping' | 'unfinished' | 'succeeded' | 'elsewhere';

export function whyNot(action: RunAction, run: IRun | undefined | null): WhyNot | null {
  if (!run) {
    return 'unknown';
  }
  const phase: RunState = run.status.phase ?? 'PENDING';
  switch (action) {
    case 'stop':
      return isFinished(phase) ? 'finished' : phase === 'CANCELING' ? 'stopping' : null;
    case 'resume':
      return phase === 'SUCCEEDED' || phase === 'SKIPPED'
        ? 'succeeded'
        : isFinished(phase) || phase === 'PAUSED'
          ? null
          : 'unfinished';
    case 'export':
      return isCompiled(run) || isFinished(phase) ? null : 'unfinished';
    case 'reproduce':
      return isElsewhere(run) ? 'elsewhere' : isFinished(phase) ? null : 'unfinished';
    case 'delete':
      return isFinished(phase) ? null : 'unfinished';
    case 'rerun':
      return null;
  }
}

/** Made from a pipeline that somebody compiled: there is no notebook behind it. */
export function isCompiled(run: IRun): boolean {
  return run.spec.pipeline?.format === 'kfp';
}

/** Of a Kubeflow Pipelines server, which keeps less of a run than this machine does. */
export function isElsewhere(run: IRun): boolean {
  return run.spec.place?.kind === 'kfp';
}

/** The Python that gets hold of this run. */
export function runCode(name: string): string {
  return `import jupyter_ext as kf\n\nrun = kf.pipelines.get(${JSON.stringify(name)})\nrun`;
}

/** The Python that does what a verb does. */
export function actionCode(action: RunAction, name: string): string {
  const call: Record<RunAction, string> = {
    stop: 'run.stop()',
    resume: 'run = run.resume()',
    rerun: 'run = run.rerun()',
    reproduce: 'report = run.reproduce()',
    export: `run.export(${JSON.stringify(`${name}.ipynb`)})`,
    delete: `kf.pipelines.delete(${JSON.stringify(name)})`
  };
  return `${runCode(name).replace(/\nrun$/, '')}\n${call[action]}`;
}

export function compareCode(names: readonly string[]): string {
  return `import jupyter_ext as kf\n\nkf.pipelines.compare(${JSON.stringify([...names])})`;
}

/** What a person calls the run: its given name, else the pipeline's. */
export function runTitle(run: IRun): string {
  return run.spec.displayName || run.spec.pipeline?.name || run.metadata.name;
}
