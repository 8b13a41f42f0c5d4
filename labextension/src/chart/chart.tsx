import * as React from 'react';

import { number } from '../format';
import { useTrans } from '../ui/context';
import { Figure } from './figure';

const W = 320;
const H = 240;
const PAD = { left: 40, right: 12, top: 10, bottom: 32 };

export interface ISeries {
  name: string;
  points: [number, number][];
}

/** Lines over common axes; up to five series keep apart by dash as well as colour. */
export function LineChart(props: {
  label: string;
  x: string;
  y: string;
  series: ISeries[];
  /** Fix the axes; otherwise they follow the data. */
  domain?: { x: [number, number]; y: [number, number] };
  diagonal?: boolean;
}): JSX.Element {
  const trans = useTrans();
  const all = props.series.flatMap(series => series.points);
  const x = props.domain?.x ?? extent(all.map(point => point[0]));
  const y = props.domain?.y ?? extent(all.map(point => point[1]));
  const at = (px: number, py: number): [number, number] => [
    PAD.left + ((px - x[0]) / (x[1] - x[0] || 1)) * (W - PAD.left - PAD.right),
    H - PAD.bottom - ((py - y[0]) / (y[1] - y[0] || 1)) * (H - PAD.top - PAD.bottom)
  ];
  const path = (points: [number, number][]) =>
    points
      .map(
        ([px, py], i) =>
          `${i ? 'L' : 'M'}${at(px, py)
            .map(n => n.toFixed(1))
            .join(' ')}`
      )
      .join('');
  const rows = props.series.flatMap(series =>
    thin(series.points, 20).map(([px, py]) => [series.name, px, py])
  );
  return (
    <Figure label={props.label} head={[trans.__('Series'), props.x, props.y]} rows={rows}>
      <svg className="jk-Chart" viewBox={`0 0 ${W} ${H}`} width={W} height={H} aria-hidden="true">
        <Axes x={x} y={y} at={at} xName={props.x} yName={props.y} />
        {props.diagonal && (
          <path
            className="jk-Chart-diagonal"
            d={path([
              [x[0], y[0]],
              [x[1], y[1]]
            ])}
          />
        )}
        {props.series.map((series, index) => (
          <path
            key={series.name}
            className={`jk-Chart-line jk-mod-${index % 5}`}
            d={path(series.points)}
          />
        ))}
      </svg>
      {props.series.length > 1 && (
        <div className="jk-Chart-legend" aria-hidden="true">
          {props.series.map((series, index) => (
            <span key={series.name}>
              <i className={`jk-mod-${index % 5}`} /> {series.name}
            </span>
          ))}
        </div>
      )}
    </Figure>
  );
}

function Axes(props: {
  x: [number, number];
  y: [number, number];
  at: (x: number, y: number) => [number, number];
  xName: string;
  yName: string;
}): JSX.Element {
  const { x, y, at } = props;
  const marks = (range: [number, number]) =>
    [0, 0.25, 0.5, 0.75, 1].map(share => range[0] + share * (range[1] - range[0]));
  return (
    <g className="jk-Chart-axes">
      {marks(y).map(value => (
        <g key={`y${value}`}>
          <line x1={PAD.left} x2={W - PAD.right} y1={at(x[0], value)[1]} y2={at(x[0], value)[1]} />
          <text x={PAD.left - 6} y={at(x[0], value)[1] + 3} textAnchor="end">
            {number(value)}
          </text>
        </g>
      ))}
      {marks(x).map(value => (
        <text key={`x${value}`} x={at(value, y[0])[0]} y={H - PAD.bottom + 13} textAnchor="middle">
          {number(value)}
        </text>
      ))}
      <text x={(W + PAD.left) / 2} y={H - 4} textAnchor="middle">
        {props.xName}
      </text>
      <text x={PAD.left + 4} y={PAD.top + 2} dominantBaseline="hanging">
        {props.yName}
      </text>
    </g>
  );
}

/** True positives against false positives; the area is said in words. */
export function RocChart(props: {
  name?: string;
  fpr: number[];
  tpr: number[];
  auc?: number;
}): JSX.Element {
  const trans = useTrans();
  const area = props.auc ?? auc(props.fpr, props.tpr);
  const points = props.fpr.map((value, i): [number, number] => [value, props.tpr[i]]);
  const name = props.name ?? 'ROC';
  return (
    <div className="jk-Roc">
      <p>
        {trans.__('%1, area under the curve', name)} <strong>{number(area)}</strong>
      </p>
      <LineChart
        label={trans.__('%1, area under the curve %2', name, number(area))}
        x={trans.__('False positive rate')}
        y={trans.__('True positive rate')}
        series={[{ name, points }]}
        domain={{ x: [0, 1], y: [0, 1] }}
        diagonal
      />
    </div>
  );
}

export function auc(x: readonly number[], y: readonly number[]): number {
  let area = 0;
  for (let i = 1; i < x.length; i++) {
    area += ((x[i] - x[i - 1]) * (y[i] + y[i - 1])) / 2;
  }
  return Math.abs(area);
}

/** Rows are the truth, columns what was predicted; shade by share of the row, number always shown. */
export function ConfusionMatrix(props: {
  name?: string;
  labels: (string | number)[];
  matrix: number[][];
}): JSX.Element {
  const trans = useTrans();
  const total = props.matrix.flat().reduce((sum, value) => sum + value, 0);
  const right = props.matrix.reduce((sum, row, i) => sum + (row[i] ?? 0), 0);
  return (
    <figure className="jk-Matrix" aria-label={props.name ?? trans.__('Confusion matrix')}>
      <figcaption>
        {props.name ?? trans.__('Confusion matrix')}
        {total > 0 && (
          <>
            {' · '}
            {trans.__(
              '%1 of %2 right (%3 %)',
              number(right),
              number(total),
              number((100 * right) / total)
            )}
          </>
        )}
      </figcaption>
      <div className="jk-ScrollX">
        <table>
          <thead>
            <tr>
              <th scope="col">{trans.__('True ↓ Predicted →')}</th>
              {props.labels.map(label => (
                <th key={label} scope="col" dir="auto">
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {props.matrix.map((row, i) => (
              <MatrixRow key={i} row={row} label={props.labels[i]} index={i} />
            ))}
          </tbody>
        </table>
      </div>
    </figure>
  );
}

function MatrixRow(props: { row: number[]; label: string | number; index: number }): JSX.Element {
  const sum = props.row.reduce((total, value) => total + value, 0) || 1;
  return (
    <tr>
      <th scope="row" dir="auto">
        {props.label}
      </th>
      {props.row.map((value, j) => (
        <td
          key={j}
          className={j === props.index ? 'jk-mod-right' : undefined}
          style={{ '--jk-share': value / sum } as React.CSSProperties}
          title={`${((100 * value) / sum).toFixed(1)} %`}
        >
          {number(value)}
        </td>
      ))}
    </tr>
  );
}

/** Counts over equal ranges. */
export function Histogram(props: {
  edges: number[];
  counts: number[];
  label: string;
}): JSX.Element {
  const trans = useTrans();
  const most = Math.max(1, ...props.counts);
  const width = 100 / Math.max(1, props.counts.length);
  const rows = props.counts.map((count, i) => [
    `${number(props.edges[i])} – ${number(props.edges[i + 1])}`,
    count
  ]);
  return (
    <Figure label={props.label} head={[trans.__('Range'), trans.__('Count')]} rows={rows}>
      <svg
        className="jk-Histogram"
        viewBox="0 0 100 30"
        preserveAspectRatio="none"
        aria-hidden="true"
      >
        {props.counts.map((count, i) => (
          <rect
            key={i}
            x={i * width + 0.15}
            width={Math.max(0.2, width - 0.3)}
            y={30 - (29 * count) / most}
            height={(29 * count) / most}
          />
        ))}
      </svg>
    </Figure>
  );
}

function extent(values: readonly number[]): [number, number] {
  const finite = values.filter(Number.isFinite);
  if (!finite.length) {
    return [0, 1];
  }
  const [low, high] = finite.reduce(
    ([a, b], value) => [Math.min(a, value), Math.max(b, value)],
    [Infinity, -Infinity]
  );
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

function thin<T>(items: readonly T[], most: number): T[] {
  const step = Math.max(1, Math.ceil(items.length / most));
  return items.filter((_, index) => index % step === 0 || index === items.length - 1);
}
