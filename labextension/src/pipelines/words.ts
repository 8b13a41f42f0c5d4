import type { TranslationBundle } from '@jupyterlab/translation';

import type { WhyNot } from '../model/actions';
import type { IRun } from '../model/types';

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
  }
}

/** `by hand`, `by schedule nightly`, `resumed from tour-x7k2p`. */
export function triggerText(run: IRun, trans: TranslationBundle): string {
  const trigger = run.spec.trigger ?? 'manual';
  if (trigger.startsWith('schedule:')) {
    return trans.__('Schedule %1', trigger.slice('schedule:'.length));
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
