import type { TranslationBundle } from '@jupyterlab/translation';

import type { WhyNot } from '../model/actions';
import type { IRun } from '../model/types';
import type { IKubeflow } from '../tokens';

export function whyNotText(why: WhyNot, trans: TranslationBundle): string {
  switch (why) {
    case 'unknown':
      return trans.__('Open or select a run first.');
    case 'finished':
      return trans.__('This run has finished.');
    case 'stopping':
      return trans.__('It is stopping already.');
    case 'unfinished':
      return trans.__('This run has not finished yet.');
    case 'succeeded':
      return trans.__('This run succeeded; there is nothing to resume.');
    case 'elsewhere':
      return trans.__(
        'Kubeflow Pipelines keeps no environment to compare with. Rerun runs it again.'
      );
  }
}

/** `by hand`, `by schedule nightly`, `resumed from tour-x7k2p`. */
export function triggerText(run: IRun, kubeflow: IKubeflow): string {
  const { trans } = kubeflow;
  const trigger = run.spec.trigger ?? 'manual';
  if (trigger.startsWith('schedule:')) {
    const name = trigger.slice('schedule:'.length);
    const schedule = kubeflow.resources.schedules.get(name);
    return trans.__('Schedule %1', schedule?.spec.displayName || name);
  }
  if (trigger === 'resume') {
    return run.spec.resumes ? trans.__('Resumes %1', run.spec.resumes) : trans.__('Resumed');
  }
  if (trigger === 'reproduce') {
    return run.spec.resumes
      ? trans.__('Reproduces %1', run.spec.resumes)
      : trans.__('Reproduces a run');
  }
  return trigger === 'manual' ? trans.__('By hand') : trigger;
}
