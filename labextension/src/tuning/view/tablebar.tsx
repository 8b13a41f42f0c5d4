import * as React from 'react';

import { number } from '../../format';
import { useTrans } from '../../ui/context';
import { Button } from '../../ui/controls';
import type { ISelection } from '../../ui/resources';
import { StateIcon } from '../../ui/state';
import type { IScene } from '../model/scene';
import type { TrialState } from '../model/trials';
import { stateCounts, TRIAL_STATES } from '../model/trials';
import { compareReason } from './rows';
import { TRIAL_ICONS, trialWord } from './words';

interface IBarProps {
  scene: IScene;
  selection: ISelection;
  onCompare: () => void;
  states: ReadonlySet<TrialState>;
  onStates: (states: ReadonlySet<TrialState>) => void;
  query: string;
  onQuery: (query: string) => void;
  shown: number;
  fresh: number;
  onFresh: () => void;
}

/** Above the table: how many, which of them, and what to do with the selected ones. */
export function TrialBar(props: IBarProps): JSX.Element {
  const { scene, states, selection } = props;
  const trans = useTrans();
  const counts = React.useMemo(() => stateCounts(scene.chosen), [scene.chosen]);
  const chosen = selection.selected.size;
  const toggle = (state: TrialState) => {
    const next = new Set(states);
    if (!next.delete(state)) {
      next.add(state);
    }
    props.onStates(next);
  };
  return (
    <div className="jk-Trials-bar">
      <h2>{trans._n('%1 trial', '%2 trials', props.shown, number(props.shown))}</h2>
      <input
        type="search"
        aria-label={trans.__('Filter trials')}
        placeholder={trans.__('Filter: 17, lr=0.1')}
        value={props.query}
        dir="auto"
        onChange={event => props.onQuery(event.target.value)}
      />
      <div className="jk-Trials-states" role="group" aria-label={trans.__('Filter by state')}>
        {TRIAL_STATES.filter(state => counts[state] || states.has(state)).map(state => (
          <button
            type="button"
            key={state}
            className="jk-StateFilter"
            aria-pressed={states.has(state)}
            onClick={() => toggle(state)}
          >
            <span className={`jk-TrialBadge jk-mod-${state}`}>
              <StateIcon state={TRIAL_ICONS[state]} size={12} />
            </span>
            {trialWord(state, trans)} <b>{number(counts[state])}</b>
          </button>
        ))}
      </div>
      <span className="jk-Spacer" />
      {props.fresh > 0 && (
        <Button
          label={trans._n('%1 new trial', '%1 new trials', props.fresh, props.fresh)}
          title={trans.__('Rows stay where they are while the pointer is on them')}
          onClick={props.onFresh}
        />
      )}
      {chosen > 0 && (
        <>
          <span>{trans.__('%1 selected', chosen)}</span>
          <Button
            label={trans.__('Compare')}
            kind="primary"
            disabled={compareReason(chosen, trans)}
            onClick={props.onCompare}
          />
          <Button label={trans.__('Clear')} onClick={selection.clear} />
        </>
      )}
    </div>
  );
}
