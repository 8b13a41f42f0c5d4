import * as React from 'react';

import { number } from '../../format';
import type { Json } from '../../model/types';
import { useKubeflow } from '../../ui/context';
import { exampleTable, shapeText } from '../model/model';
import type { IExample, ITensor, IVersionDetail } from '../model/types';
import { Part } from './summary';

/** What it takes, what it gives, and a few rows that it can predict. */
export function SignatureTab(props: {
  detail: IVersionDetail | null;
  loading: boolean;
}): JSX.Element {
  const { detail } = props;
  const { trans } = useKubeflow();
  if (!detail) {
    return props.loading ? <p className="jk-Quiet">{trans.__('Loading…')}</p> : <></>;
  }
  const { signature, example } = detail;
  if (!signature && !example) {
    return (
      <div className="jk-Summary">
        <p className="jk-Quiet">
          {trans.__(
            'Nothing is known of what it takes. Register it with an example, a few rows, and its names, types and shapes are recorded.'
          )}
        </p>
        <div className="jk-Code">
          <pre tabIndex={0}>{`kf.registry.register(model, "…", example=X.head(3))`}</pre>
        </div>
      </div>
    );
  }
  return (
    <div className="jk-Summary">
      <Tensors title={trans.__('Inputs')} tensors={signature?.inputs} />
      <Tensors title={trans.__('Outputs')} tensors={signature?.outputs} />
      {example && (
        <Part title={trans.__('Example')}>
          <Example example={example} />
        </Part>
      )}
    </div>
  );
}

function Tensors(props: { title: string; tensors?: readonly ITensor[] }): JSX.Element | null {
  const { trans } = useKubeflow();
  if (!props.tensors?.length) {
    return null;
  }
  return (
    <Part title={props.title}>
      <div className="jk-ScrollX" tabIndex={0} role="group" aria-label={props.title}>
        <table className="jk-Table">
          <thead>
            <tr>
              <th scope="col">{trans.__('Name')}</th>
              <th scope="col">{trans.__('Type')}</th>
              <th scope="col">{trans.__('Shape')}</th>
            </tr>
          </thead>
          <tbody>
            {props.tensors.map(({ name, datatype, shape }) => (
              <tr key={name}>
                <td dir="auto">{name}</td>
                <td>
                  <code>{datatype}</code>
                </td>
                <td>
                  <code>{shapeText(shape)}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Part>
  );
}

function Example(props: { example: IExample }): JSX.Element {
  const { example } = props;
  const { trans } = useKubeflow();
  const rows = exampleTable(example.data, example.columns);
  if (!rows) {
    return (
      <div className="jk-Code">
        <pre tabIndex={0}>{JSON.stringify(example.data, null, 1)}</pre>
      </div>
    );
  }
  const { columns } = example;
  return (
    <div className="jk-ScrollX" tabIndex={0} role="group" aria-label={trans.__('Example rows')}>
      <table className="jk-Table">
        {columns && (
          <thead>
            <tr>
              {columns.map(name => (
                <th key={name} scope="col" dir="auto">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
        )}
        <tbody>
          {rows.map((row, index) => (
            <tr key={index}>
              {row.map((cell, at) => (
                <td key={at} dir="auto">
                  {text(cell)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function text(cell: Json): string {
  return typeof cell === 'number'
    ? number(cell)
    : typeof cell === 'string'
      ? cell
      : JSON.stringify(cell);
}
