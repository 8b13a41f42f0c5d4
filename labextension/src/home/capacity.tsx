import * as React from 'react';

import { bytes, percent } from '../format';
import { useKubeflow } from '../ui/context';
import { Card } from './card';
import type { IAmount, ICapacity, IGpu, IShare } from './page';
import { byHolder, colours } from './page';

/** What there is to compute with, and who has it. */
export function Capacity(props: { capacity: ICapacity }): JSX.Element {
  const { capacity } = props;
  const { trans } = useKubeflow();
  const { cpu, memory, gpus } = capacity;
  const holders = byHolder(capacity.holders);
  const shades = colours(capacity);
  const cores = (milli: number) => String(Math.round(milli / 10) / 100);
  return (
    <Card title={trans.__('Capacity')}>
      <Bar
        name={trans.__('CPU')}
        words={trans.__('%1 of %2 cores free', cores(cpu.free), cores(cpu.total))}
        amount={cpu}
        parts={holders.map(each => ({ name: each.name, size: each.cpu }))}
        shades={shades}
      />
      <Bar
        name={trans.__('Memory')}
        words={trans.__('%1 of %2 free', bytes(memory.free), bytes(memory.total))}
        amount={memory}
        parts={holders.map(each => ({ name: each.name, size: each.memory }))}
        shades={shades}
      />
      {gpus.length > 0 && <Gpus gpus={gpus} shades={shades} />}
      <Shares
        label={trans.__('Who has it')}
        shares={holders}
        shades={shades}
        words={share => amounts(share, trans)}
      />
      <Shares
        label={trans.__('Who waits')}
        shares={byHolder(capacity.waiting)}
        shades={shades}
        words={share => trans.__('waits for %1', amounts(share, trans))}
      />
    </Card>
  );
}

function amounts(share: IShare, trans: ReturnType<typeof useKubeflow>['trans']): string {
  const cores = Math.round(share.cpu / 10) / 100;
  const parts = [
    share.cpu && trans._n('%1 core', '%1 cores', cores),
    share.memory && bytes(share.memory),
    share.gpus && trans._n('%1 GPU', '%1 GPUs', share.gpus)
  ];
  return parts.filter(Boolean).join(', ') || trans.__('nothing');
}

/** What is taken, by holder, and what is left; the same is said in words beside it. */
function Bar(props: {
  name: string;
  words: string;
  amount: IAmount;
  parts: readonly { name: string; size: number }[];
  shades: ReadonlyMap<string, number>;
}): JSX.Element {
  const { name, words, amount, parts, shades } = props;
  const taken = Math.max(0, amount.total - amount.free);
  const known = parts.reduce((sum, part) => sum + part.size, 0);
  // A step that says nothing counts as a core: what is held may add up to more than is missing.
  const scale = known > taken && known > 0 ? taken / known : 1;
  const width = (size: number) => `${(100 * size * scale) / Math.max(amount.total, 1)}%`;
  return (
    <div className="jk-Home-amount">
      <span className="jk-Home-amountName">{name}</span>
      <span className="jk-Home-amountWords">{words}</span>
      <div className="jk-Home-bar" aria-hidden="true">
        {parts.map((part, at) => (
          <i
            key={`${part.name}/${at}`}
            className={`jk-Home-shade${shades.get(part.name) ?? 0}`}
            style={{ width: width(part.size) }}
            title={part.name}
          />
        ))}
      </div>
    </div>
  );
}

/** Each GPU as a square in the colour of its holder, hatched while it does nothing. */
function Gpus(props: { gpus: readonly IGpu[]; shades: ReadonlyMap<string, number> }): JSX.Element {
  const { gpus, shades } = props;
  const { trans } = useKubeflow();
  const free = gpus.filter(({ state }) => state === 'free').length;
  const idle = gpus.filter(({ state }) => state === 'idle').length;
  const words = [
    trans.__('%1 of %2 free', free, gpus.length),
    idle && trans._n('%1 held and idle', '%1 held and idle', idle)
  ];
  return (
    <div className="jk-Home-amount">
      <span className="jk-Home-amountName">{trans.__('GPU')}</span>
      <span className="jk-Home-amountWords">{words.filter(Boolean).join(', ')}</span>
      <ul className="jk-Home-gpus" aria-label={trans.__('GPUs')}>
        {gpus.map(gpu => {
          const text = gpuWords(gpu, trans);
          const shade = gpu.holder ? ` jk-Home-shade${shades.get(gpu.holder.name) ?? 0}` : '';
          return (
            <li key={gpu.uuid} className={`jk-Home-gpu jk-mod-${gpu.state}${shade}`} title={text}>
              <span aria-hidden="true">{gpu.index}</span>
              <span className="jk-visuallyHidden">{text}</span>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

function gpuWords(gpu: IGpu, trans: ReturnType<typeof useKubeflow>['trans']): string {
  const what = trans.__('GPU %1, %2, %3', gpu.index, gpu.name, bytes(gpu.memory));
  if (!gpu.holder) {
    return trans.__('%1: free', what);
  }
  const use = gpu.use === null ? '' : `, ${percent(gpu.use)}`;
  return gpu.state === 'idle'
    ? trans.__('%1: held by %2, idle%3', what, gpu.holder.name, use)
    : trans.__('%1: used by %2%3', what, gpu.holder.name, use);
}

function Shares(props: {
  label: string;
  shares: readonly IShare[];
  shades: ReadonlyMap<string, number>;
  words: (share: IShare) => string;
}): JSX.Element | null {
  const { shares, shades, words } = props;
  const kubeflow = useKubeflow();
  if (!shares.length) {
    return null;
  }
  return (
    <ul className="jk-Home-shares" aria-label={props.label}>
      {shares.map(share => {
        const { kind, name } = share;
        const known = kind && kubeflow.sections.view(kind);
        const shade = shades.get(name);
        return (
          <li key={`${kind}/${name}`}>
            <i
              className={
                shade === undefined ? 'jk-Home-swatch' : `jk-Home-swatch jk-Home-shade${shade}`
              }
              aria-hidden="true"
            />
            {known ? (
              <button
                type="button"
                className="jk-Home-name"
                dir="auto"
                title={name}
                onClick={() => void kubeflow.open(kind, name)}
              >
                {name}
              </button>
            ) : (
              <span className="jk-Home-name" dir="auto" title={name}>
                {name}
              </span>
            )}
            <span className="jk-Home-shareWords">{words(share)}</span>
          </li>
        );
      })}
    </ul>
  );
}
