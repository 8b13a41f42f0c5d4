import * as React from 'react';

import { KubeflowError } from '../model/errors';
import type { FormValues } from '../model/typed';
import { useTrans } from '../ui/context';
import { Button, ErrorLine } from '../ui/controls';
import { Form } from '../ui/form';
import { chosen, fieldsOf, judged, startValues, withValue } from './choices';
import type { ServersFeed } from './model/feed';
import { startCode } from './model/server';
import type { Choices, IFormState, IServer } from './model/types';

/** After so long without a key the Hub is asked what becomes of the choices, in milliseconds. */
const PAUSE = 300;
/** What fits changes with what others do: asked again so often. */
const AGAIN = 10_000;

interface IJudged {
  state: IFormState | null;
  error: KubeflowError | null;
  /** Whether what is shown is about the choices as they are. */
  fresh: boolean;
  again: () => void;
}

/** What the Hub thinks of these choices; an old answer never replaces a new one. */
function useJudged(feed: ServersFeed, name: string, choices: Choices): IJudged {
  const text = JSON.stringify(choices);
  const [found, setFound] = React.useState<{ text: string; state: IFormState } | null>(null);
  const [error, setError] = React.useState<KubeflowError | null>(null);
  const [round, setRound] = React.useState(0);
  const first = React.useRef(true);
  React.useEffect(() => {
    let current = true;
    let timer = 0;
    const ask = async () => {
      try {
        const state = await feed.form(name, JSON.parse(text) as Choices);
        if (current) {
          setFound({ text, state });
          setError(null);
        }
      } catch (failure) {
        if (current) {
          setError(KubeflowError.from(failure));
        }
      }
      if (current) {
        timer = window.setTimeout(() => void ask(), AGAIN);
      }
    };
    timer = window.setTimeout(() => void ask(), first.current ? 0 : PAUSE);
    first.current = false;
    return () => {
      current = false;
      window.clearTimeout(timer);
    };
  }, [feed, name, text, round]);
  const again = React.useCallback(() => setRound(value => value + 1), []);
  return { state: found?.state ?? null, error, fresh: found?.text === text, again };
}

/** Other choices for a stopped server: kept, or started with at once. */
export function ChangeForm(props: {
  feed: ServersFeed;
  server: IServer;
  onDone: () => void;
}): JSX.Element {
  const { feed, server, onDone } = props;
  const trans = useTrans();
  const [values, setValues] = React.useState<FormValues | null>(null);
  const [asked, setAsked] = React.useState<Choices>(server.options);
  const { state, error, fresh, again } = useJudged(feed, server.name, asked);
  if (!state) {
    return error ? (
      <div className="jk-Server-facts">
        <ErrorLine error={error} onRetry={again} />
        <FormLink server={server} />
        <Button label={trans.__('Cancel')} onClick={onDone} />
      </div>
    ) : (
      <p className="jk-Quiet">{trans.__('Asking the Hub what can be had…')}</p>
    );
  }
  const shown = values ?? startValues(server.options, state);
  const fields = fieldsOf(state, shown, trans);
  const { problems, fits, refused } = judged(state, fields);
  const choices = chosen(server.options, shown, state);
  const change = (name: string, value: string | boolean) => {
    const next = withValue(shown, name, value);
    setValues(next);
    setAsked(chosen(server.options, next, state));
  };
  const start = async () => {
    if (!(await feed.start(server.name, choices))) {
      const problem = feed.problem(server.name);
      feed.forget(server.name);
      if (problem) {
        throw problem;
      }
    }
    onDone();
  };
  return (
    <Form
      label={trans.__('What %1 gets', server.title)}
      before={
        state.said?.length ? <p className="jk-Field-help">{state.said.join(' ')}</p> : undefined
      }
      fields={fields}
      values={shown}
      onChange={change}
      problems={fresh ? problems : {}}
      fits={fresh ? fits : trans.__('Checking…')}
      code={startCode(server.name, choices)}
      submit={trans.__('Start')}
      disabled={fresh ? refused : null}
      onSubmit={start}
      also={{
        label: trans.__('Keep for later'),
        onSubmit: async () => {
          await feed.resize(server.name, choices);
          onDone();
        }
      }}
      onCancel={onDone}
    >
      <FormLink server={server} />
    </Form>
  );
}

function FormLink(props: { server: IServer }): JSX.Element {
  const trans = useTrans();
  return (
    <p className="jk-Server-all">
      <a className="jk-Link" href={props.server.form} target="_blank" rel="noreferrer">
        {trans.__('Every choice, on the Hub’s page')}
      </a>
    </p>
  );
}
