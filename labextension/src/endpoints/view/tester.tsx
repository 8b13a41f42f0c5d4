import * as React from 'react';

import { KubeflowError } from '../../model/errors';
import type { Json } from '../../model/types';
import { CodeForms } from '../../ui/codeforms';
import { useKubeflow } from '../../ui/context';
import { Button, CopyButton, ErrorLine } from '../../ui/controls';
import { usePolled } from '../../ui/polled';
import { ask } from '../commands';
import { isStopped, variantsOf } from '../model/endpoint';
import { latency } from '../model/interval';
import { parseJson, pretty } from '../model/json';
import type { IAnswer, IEndpointCode, IExample } from '../model/types';
import { requestForms } from './code';
import type { IPaneProps } from './view';
import { modelsKey } from './view';

type Verb = 'predict' | 'explain';

interface IResult {
  readonly verb: Verb;
  readonly answer?: IAnswer;
  readonly error?: KubeflowError;
}

/** Which forms of the example there are, ready to be sent. */
function bodies(example: IExample | null): [string, string, Json][] {
  const found: [string, string, Json][] = [];
  if (example?.instances !== null && example?.instances !== undefined) {
    found.push(['v1', 'V1', { instances: example.instances }]);
  }
  if (example?.inputs !== null && example?.inputs !== undefined) {
    found.push(['v2', 'V2', { inputs: example.inputs }]);
  }
  return found;
}

/** A request to try, its answer, and the same as code. */
export function TesterPane(props: IPaneProps): JSX.Element {
  const { item } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const { name } = item.metadata;
  const [typed, setTyped] = React.useState<string | null>(null);
  const [variant, setVariant] = React.useState('');
  const [result, setResult] = React.useState<IResult | null>(null);
  const { value: example } = usePolled(`${modelsKey(item)}|${variant}`, 0, signal =>
    ask<IExample>(kubeflow, name, 'example', variant ? { variant } : {}, signal).catch(() => null)
  );
  const forms = bodies(example);
  const text = typed ?? (forms.length ? pretty(forms[0][2]) : '');
  const parsed = parseJson(text, trans);
  const problem = 'problem' in parsed ? parsed.problem : null;
  const off = isStopped(item)
    ? trans.__('It is stopped: start it first.')
    : !text.trim()
      ? trans.__('Type a request first.')
      : problem
        ? problem.message
        : null;
  const send = async (verb: Verb) => {
    if (off || !('value' in parsed)) {
      return;
    }
    try {
      const body = { data: parsed.value, ...(variant && { variant }) };
      setResult({ verb, answer: await ask<IAnswer>(kubeflow, name, verb, body) });
    } catch (error) {
      setResult({ verb, error: KubeflowError.from(error) });
    }
  };
  return (
    <div className="jk-Tester">
      <div className="jk-Tester-bar">
        <label>
          {trans.__('To')}
          <select
            className="jk-Select"
            value={variant}
            onChange={event => setVariant(event.target.value)}
          >
            <option value="">{trans.__('whoever gets it')}</option>
            {variantsOf(item).map(each => (
              <option key={each.name} value={each.name}>
                {each.name}
              </option>
            ))}
          </select>
        </label>
        {forms.map(([id, label, body]) => (
          <Button
            key={id}
            label={trans.__('Example as %1', label)}
            title={
              example?.recorded === false
                ? trans.__('Made up from the signature: no example was recorded')
                : trans.__('The example recorded with the model')
            }
            onClick={() => setTyped(pretty(body))}
          />
        ))}
      </div>
      <Editor
        text={text}
        problem={text.trim() && problem ? problem.message : null}
        onText={setTyped}
        onSend={() => void send('predict')}
      />
      <div className="jk-Form-buttons">
        <Button
          label={trans.__('Send')}
          kind="primary"
          title={trans.__('Ctrl-Enter')}
          disabled={off}
          onClick={() => send('predict')}
        />
        <Button
          label={trans.__('Explain')}
          title={trans.__('Which feature moved the answer how far')}
          disabled={off}
          onClick={() => send('explain')}
        />
      </div>
      {result && <Result key={result.answer?.requestId ?? ''} result={result} name={name} />}
      <SameAsCode item={item} variant={variant} text={problem ? '' : text} />
    </div>
  );
}

function Editor(props: {
  text: string;
  problem: string | null;
  onText: (text: string) => void;
  onSend: () => void;
}): JSX.Element {
  const { trans } = useKubeflow();
  const id = React.useId();
  const { text, problem } = props;
  return (
    <div className="jk-Tester-editor">
      <textarea
        aria-label={trans.__('Request as JSON')}
        aria-invalid={problem ? true : undefined}
        aria-describedby={problem ? id : undefined}
        rows={Math.min(18, Math.max(6, text.split('\n').length))}
        spellCheck={false}
        dir="ltr"
        value={text}
        onChange={event => props.onText(event.target.value)}
        onKeyDown={event => {
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
            props.onSend();
            event.preventDefault();
            event.stopPropagation();
          }
        }}
      />
      {problem && (
        <p id={id} className="jk-FieldError">
          {problem}
        </p>
      )}
    </div>
  );
}

function Result(props: { result: IResult; name: string }): JSX.Element {
  const { trans } = useKubeflow();
  const { answer, error, verb } = props.result;
  if (error) {
    return (
      <section aria-label={trans.__('Answer')} className="jk-Tester-answer">
        <p className="jk-Tester-facts">
          {error.status > 0 && <b className="jk-mod-bad">{error.status}</b>}
        </p>
        <ErrorLine error={error} />
      </section>
    );
  }
  const body = answer?.body ?? null;
  const attributions = verb === 'explain' ? attributionsOf(body) : null;
  const text = pretty(body);
  return (
    <section aria-label={trans.__('Answer')} className="jk-Tester-answer">
      <p className="jk-Tester-facts" role="status">
        <b className={answer && answer.status >= 400 ? 'jk-mod-bad' : undefined}>
          {answer?.status}
        </b>
        {answer?.variant && <span>{trans.__('answered by %1', answer.variant)}</span>}
        <span>{latency(answer?.seconds)}</span>
        {answer?.requestId && (
          <>
            <code className="jk-Ellipsis" title={answer.requestId}>
              {answer.requestId}
            </code>
            <CopyButton text={answer.requestId} label={trans.__('Copy request id')} />
          </>
        )}
      </p>
      {verb === 'predict' && answer?.requestId && answer.status < 400 && (
        <Feedback name={props.name} id={answer.requestId} />
      )}
      {attributions && <Attributions found={attributions} />}
      <div className="jk-Code jk-mod-tall">
        <pre tabIndex={0} dir="ltr" aria-label={trans.__('Answer as JSON')}>
          {text}
        </pre>
        <CopyButton text={text} label={trans.__('Copy answer')} />
      </div>
    </section>
  );
}

/** Whether the answer was right, by the id of its request: what variants are compared by. */
function Feedback(props: { name: string; id: string }): JSX.Element {
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [said, setSaid] = React.useState<boolean | null>(null);
  const [error, setError] = React.useState<unknown>(null);
  const say = async (correct: boolean) => {
    try {
      const outcome = { correct: correct ? 1 : 0 };
      await ask(kubeflow, props.name, 'feedback', { requestId: props.id, outcome });
      setSaid(correct);
      setError(null);
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <div className="jk-Tester-feedback" role="group" aria-label={trans.__('Was it right?')}>
      <span>{trans.__('Was it right?')}</span>
      <Button label={trans.__('Yes')} pressed={said === true} onClick={() => say(true)} />
      <Button label={trans.__('No')} pressed={said === false} onClick={() => say(false)} />
      {said !== null && (
        <span className="jk-Muted" role="status">
          {trans.__('Counted as “correct” in Compare.')}
        </span>
      )}
      {error ? <ErrorLine error={error} /> : null}
    </div>
  );
}

/** The first row's, the largest first; null where the answer has another shape. */
function attributionsOf(body: Json): [string, number][] | null {
  const answer = body as { explanations?: { attributions?: Record<string, Json> }[] } | null;
  const first = answer?.explanations?.[0]?.attributions;
  if (!first || typeof first !== 'object') {
    return null;
  }
  const numbers = Object.entries(first).flatMap(([name, value]): [string, number][] => {
    const most = Array.isArray(value)
      ? value.reduce<number>(
          (sum, each) => (Math.abs(Number(each)) > Math.abs(sum) ? Number(each) : sum),
          0
        )
      : Number(value);
    return Number.isFinite(most) ? [[name, most]] : [];
  });
  return numbers.length
    ? numbers.sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, 20)
    : null;
}

function Attributions(props: { found: readonly [string, number][] }): JSX.Element {
  const { trans } = useKubeflow();
  const most = Math.max(...props.found.map(([, value]) => Math.abs(value)), 1e-12);
  return (
    <table className="jk-Table jk-Attributions">
      <caption>{trans.__('What moved the answer, first row')}</caption>
      <tbody>
        {props.found.map(([name, value]) => (
          <tr key={name}>
            <th scope="row" dir="auto">
              {name}
            </th>
            <td>
              <span className="jk-Attributions-bar" aria-hidden="true">
                <i
                  className={value < 0 ? 'jk-mod-less' : undefined}
                  style={{ width: `${(50 * Math.abs(value)) / most}%` }}
                />
              </span>
            </td>
            <td className="jk-Number">
              {value > 0 ? '+' : ''}
              {Number(value.toPrecision(3))}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The request as typed, as curl and Python. Asked for only when it is unfolded. */
function SameAsCode(props: {
  item: IPaneProps['item'];
  variant: string;
  text: string;
}): JSX.Element {
  const { item, variant, text } = props;
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const [open, setOpen] = React.useState(false);
  const key = open ? `${item.metadata.uid}|${variant}|${text}` : '';
  const { value, error } = usePolled(key, 0, async signal => {
    const parsed = parseJson(text, trans);
    if (!open) {
      return null;
    }
    const data = 'value' in parsed && text ? { data: parsed.value } : {};
    const body = { ...data, ...(variant && { variant }) };
    return ask<IEndpointCode>(kubeflow, item.metadata.name, 'code', body, signal);
  });
  return (
    <details className="jk-Form-more" onToggle={event => setOpen(event.currentTarget.open)}>
      <summary>{trans.__('As curl and Python')}</summary>
      {open && value && (
        <CodeForms label={trans.__('The request as code')} forms={requestForms(value)} />
      )}
      {open && error ? <ErrorLine error={error} /> : null}
    </details>
  );
}
