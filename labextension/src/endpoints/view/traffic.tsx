import * as React from 'react';

import { useKubeflow } from '../../ui/context';
import { Button, ErrorLine } from '../../ui/controls';
import type { CurvesFeed } from '../../training/model/curves';
import { ask, EndpointCommands } from '../commands';
import {
  changeText,
  parseSticky,
  problemText,
  STICKY_NAMES,
  stickyProblem,
  stickyText
} from '../model/changes';
import type { StickyWhere } from '../model/changes';
import {
  inForce,
  isStopped,
  mirrorOf,
  splitOf,
  splitText,
  stickyOf,
  variantsOf
} from '../model/endpoint';
import { find, recent } from '../model/series';
import type { Split } from '../model/split';
import { asRecord, problem, same, typed } from '../model/split';
import type { IEndpoint } from '../model/types';
import { SplitBar } from './splitbar';

interface IDraft {
  readonly split: Split;
  readonly sticky: string;
  /** What stood when the change was begun. */
  readonly from: Split;
  /** The server has it; the event that says so is on its way. */
  readonly applied?: boolean;
}

/** Which share each variant gets: dragged or typed, said in words, and applied. */
export function Traffic(props: { item: IEndpoint; feed: CurvesFeed }): JSX.Element {
  const { item, feed } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [draft, setDraft] = React.useState<IDraft | null>(null);
  const [error, setError] = React.useState<unknown>(null);
  const id = React.useId();
  const now = splitOf(item);
  const sticky = stickyOf(item);
  const shown = draft && sameNames(draft.split, now) ? draft : null;
  const arrived = shown?.applied && same(shown.split, now);
  React.useEffect(() => {
    if (arrived) {
      setDraft(null);
    }
  }, [arrived]);
  const split = shown?.split ?? now;
  const wantedSticky = shown?.sticky ?? sticky;
  const change = (part: Partial<IDraft>) => {
    const from = shown?.from ?? now;
    const next = { split, sticky: wantedSticky, from, ...part };
    setError(null);
    setDraft(same(next.split, now) && next.sticky === sticky ? null : next);
  };
  const apply = async () => {
    try {
      await ask(kubeflow, item.metadata.name, 'traffic', {
        split: asRecord(split),
        ...(wantedSticky === sticky ? {} : { sticky: wantedSticky })
      });
      setDraft(same(split, now) ? null : { split, sticky: wantedSticky, from: now, applied: true });
      setError(null);
    } catch (failure) {
      setError(failure);
    }
  };
  const wrong = problem(split);
  const said = wrong ? problemText(wrong, trans) : stickyProblem(wantedSticky, trans);
  return (
    <section className="jk-Traffic" aria-label={trans.__('Traffic')}>
      <div className="jk-Traffic-head">
        <h2 className="jk-SmallTitle">{trans.__('Traffic')}</h2>
        <Sticky value={wantedSticky} onChange={value => change({ sticky: value })} />
        <span className="jk-Spacer" />
        <Button
          label={trans.__('Add a version…')}
          title={trans.__('Put another version of the model beside these')}
          onClick={() =>
            kubeflow.execute(EndpointCommands.serve, {
              endpoint: item.metadata.name,
              model: variantsOf(item)[0]?.model ?? ''
            })
          }
        />
      </div>
      {now.length ? (
        <>
          <SplitBar
            split={split}
            before={shown && !shown.applied ? now : null}
            failed={failedNames(item)}
            onSplit={value => change({ split: value })}
          />
          {now.length > 1 && (
            <Numbers
              split={split}
              onSplit={value => change({ split: value })}
              wrong={wrong?.kind === 'number' ? wrong.name : null}
              describedBy={shown && !shown.applied ? id : undefined}
            />
          )}
        </>
      ) : (
        <p className="jk-Quiet">{trans.__('No variant yet.')}</p>
      )}
      <NotYet item={item} />
      <MirrorLine item={item} />
      {shown && !shown.applied && (
        <Pending
          id={id}
          problem={said}
          sentences={[
            said ? null : changeText(now, split, wrong ? null : rateOf(item, feed), trans),
            said ? null : stickyText(sticky, wantedSticky, trans),
            same(shown.from, now) ? null : trans.__('The traffic was changed elsewhere meanwhile.')
          ]}
          stopped={isStopped(item)}
          onApply={apply}
          onReset={() => {
            setDraft(null);
            setError(null);
          }}
        />
      )}
      {error ? <ErrorLine error={error} /> : null}
    </section>
  );
}

function sameNames(left: Split, right: Split): boolean {
  return (
    left.length === right.length && left.every(({ name }, index) => right[index].name === name)
  );
}

function failedNames(item: IEndpoint): ReadonlySet<string> {
  const failed = variantsOf(item).filter(({ state }) => state === 'failed');
  return new Set(failed.map(({ name }) => name));
}

/** Requests a second of all variants together, as last measured. */
function rateOf(item: IEndpoint, feed: CurvesFeed): number | null {
  const rates = variantsOf(item).map(({ name }) =>
    recent(find(feed.curves.series, name, 'rate'), Date.now() / 1000)
  );
  const known = rates.filter((rate): rate is number => rate !== null);
  return known.length ? known.reduce((sum, rate) => sum + rate, 0) : null;
}

/** What will change, and whether it shall. */
function Pending(props: {
  id: string;
  problem: string | null;
  sentences: readonly (string | null)[];
  stopped: boolean;
  onApply: () => Promise<void>;
  onReset: () => void;
}): JSX.Element {
  const { trans } = useKubeflow();
  const text = props.sentences.filter(Boolean).join(' ');
  return (
    <div className="jk-Traffic-pending">
      <p
        id={props.id}
        role="status"
        className={props.problem ? 'jk-FieldError' : undefined}
        dir="auto"
      >
        {props.problem ?? text}
        {props.stopped && !props.problem && ` ${trans.__('It counts when it is started again.')}`}
      </p>
      <Button
        label={trans.__('Apply')}
        kind="primary"
        disabled={props.problem}
        onClick={props.onApply}
      />
      <Button label={trans.__('Reset')} onClick={props.onReset} />
    </div>
  );
}

/** The same as numbers: for keyboards, and for those who know what they want. */
function Numbers(props: {
  split: Split;
  onSplit: (split: Split) => void;
  wrong: string | null;
  describedBy?: string;
}): JSX.Element {
  const { split } = props;
  const { trans } = useKubeflow();
  return (
    <div
      className="jk-Traffic-numbers"
      role="group"
      aria-label={trans.__('Percent of each variant')}
    >
      {split.map(({ name, percent }, index) => (
        <label key={name} className={`jk-c${index % 8}`}>
          <i className="jk-Swatch" />
          <span dir="auto" className="jk-Ellipsis" title={name}>
            {name}
          </span>
          <input
            type="number"
            min={0}
            max={100}
            step={1}
            inputMode="numeric"
            aria-label={trans.__('Percent of %1', name)}
            aria-invalid={props.wrong === name || undefined}
            aria-describedby={props.describedBy}
            value={Number.isFinite(percent) ? percent : ''}
            onChange={event => {
              const { value } = event.target;
              props.onSplit(typed(split, name, value === '' ? NaN : Number(value)));
            }}
          />
          <span aria-hidden="true">%</span>
        </label>
      ))}
    </div>
  );
}

/** Whether somebody stays with the variant that answered first. */
function Sticky(props: { value: string; onChange: (value: string) => void }): JSX.Element {
  const { trans } = useKubeflow();
  const { where, name } = parseSticky(props.value);
  const choices: [StickyWhere, string][] = [
    ['', trans.__('each request by chance')],
    ['header', trans.__('sticky by header')],
    ['query', trans.__('sticky by query')],
    ['body', trans.__('sticky by field')]
  ];
  return (
    <span className="jk-Traffic-sticky">
      <select
        className="jk-Select"
        aria-label={trans.__('Who stays with a variant')}
        value={where}
        onChange={event => {
          const next = event.target.value as StickyWhere;
          props.onChange(next ? `${next}:${STICKY_NAMES[next]}` : '');
        }}
      >
        {choices.map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      {where && (
        <input
          className="jk-Input"
          aria-label={trans.__('Name of the %1', where)}
          value={name}
          spellCheck={false}
          autoComplete="off"
          onChange={event => props.onChange(`${where}:${event.target.value}`)}
        />
      )}
    </span>
  );
}

/** A change waits for its models: until then what served before goes on. */
function NotYet(props: { item: IEndpoint }): JSX.Element | null {
  const { trans } = useKubeflow();
  const before = inForce(props.item);
  return before ? (
    <p className="jk-Traffic-mirror" role="status">
      {trans.__('Not in force yet: until all of it is ready, %1 goes on.', splitText(before))}
    </p>
  ) : null;
}

/** Copies that are sent beside, whose answers nobody gets. */
function MirrorLine(props: { item: IEndpoint }): JSX.Element | null {
  const { trans } = useKubeflow();
  const mirror = mirrorOf(props.item);
  if (!mirror) {
    return null;
  }
  return (
    <p className="jk-Traffic-mirror">
      <i className="jk-Traffic-hatch" aria-hidden="true" />
      {trans.__(
        '%1 also gets a copy of %2 % of the requests; its answers are only compared.',
        mirror.variant,
        mirror.percent
      )}
    </p>
  );
}
