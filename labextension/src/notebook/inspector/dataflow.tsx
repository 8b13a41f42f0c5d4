import * as React from 'react';

import type { IEffect, IStep } from '../../model/types';
import { useTrans } from '../../ui/context';
import type { NotebookController } from '../controller';
import { origins, readers } from '../model/graph';

/** What the step reads and from where, what it writes and for whom, and what else it touches. */
export function DataFlow(props: { controller: NotebookController; step: IStep }): JSX.Element {
  const { controller, step } = props;
  const { pipeline } = controller.model;
  const trans = useTrans();
  if (!pipeline) {
    return <></>;
  }
  const maybe = (step.mayWrite ?? []).filter(name => !step.writes.includes(name));
  return (
    <dl className="jk-Flow">
      <Row term={trans.__('Reads')} empty={trans.__('nothing from earlier steps')}>
        {origins(pipeline, step).map(origin => (
          <li key={origin.name}>
            <Name name={origin.name} />
            {origin.from && (
              <>
                {' '}
                {trans.__('from')} <StepLink controller={controller} step={origin.from} />
              </>
            )}
          </li>
        ))}
      </Row>
      <Row term={trans.__('Writes')} empty={trans.__('nothing that later steps see')}>
        {[...step.writes, ...maybe].map(name => (
          <li key={name}>
            <Name name={name} />
            {maybe.includes(name) && <em> {trans.__('perhaps')}</em>}
            {readers(pipeline, step, name).map(reader => (
              <React.Fragment key={reader}>
                {' → '}
                <StepLink controller={controller} step={reader} />
              </React.Fragment>
            ))}
          </li>
        ))}
      </Row>
      {(step.effects ?? []).length > 0 && (
        <Row term={trans.__('Touches')} empty="">
          {(step.effects ?? []).map((effect, index) => (
            <li key={index}>{effectWords(effect, trans)}</li>
          ))}
        </Row>
      )}
    </dl>
  );
}

function Row(props: { term: string; empty: string; children: React.ReactNode[] }): JSX.Element {
  return (
    <div>
      <dt>{props.term}</dt>
      <dd>
        {props.children.length ? (
          <ul>{props.children}</ul>
        ) : (
          <span className="jk-Flow-none">{props.empty}</span>
        )}
      </dd>
    </div>
  );
}

function Name(props: { name: string }): JSX.Element {
  const trans = useTrans();
  return props.name === '*' ? <em>{trans.__('any name')}</em> : <code>{props.name}</code>;
}

/** A step's name that leads to it and lights it in the notebook. */
function StepLink(props: { controller: NotebookController; step: string }): JSX.Element {
  const { controller, step } = props;
  const light = (name: string | null): void => {
    controller.model.hovered = name;
  };
  return (
    <button
      type="button"
      className="jk-Link"
      onClick={() => void controller.goToStep(step)}
      onMouseEnter={() => light(step)}
      onMouseLeave={() => light(null)}
      onFocus={() => light(step)}
      onBlur={() => light(null)}
    >
      {step}
    </button>
  );
}

function effectWords(effect: IEffect, trans: ReturnType<typeof useTrans>): string {
  const kinds: Record<string, string> = {
    file: effect.mode === 'w' ? trans.__('writes files') : trans.__('reads files'),
    shell: trans.__('runs a shell command'),
    network: trans.__('uses the network'),
    rng: trans.__('draws random numbers'),
    env: trans.__('environment variables'),
    cwd: trans.__('working directory'),
    settings: trans.__('library settings'),
    stdin: trans.__('asks for input'),
    unknown: trans.__('something that cannot be seen')
  };
  const words = kinds[effect.kind] ?? effect.kind;
  return effect.detail && effect.detail !== '*' ? trans.__('%1: %2', words, effect.detail) : words;
}
