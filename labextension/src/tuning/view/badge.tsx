import * as React from 'react';

import { useTrans } from '../../ui/context';
import { StateIcon } from '../../ui/state';
import { trialState } from '../model/trials';
import type { ITrial } from '../model/types';
import { TRIAL_ICONS, trialWord } from './words';

export function TrialBadge(props: { trial: ITrial }): JSX.Element {
  const { trial } = props;
  const trans = useTrans();
  const state = trialState(trial);
  const word = trialWord(state, trans);
  return (
    <span className={`jk-TrialBadge jk-mod-${state}`} title={trial.reason || word}>
      <StateIcon state={TRIAL_ICONS[state]} size={14} />
      <span>{word}</span>
    </span>
  );
}
