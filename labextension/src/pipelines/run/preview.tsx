import * as React from 'react';

import { ConfusionMatrix, Histogram, RocChart } from '../../chart/chart';
import { bytes, number } from '../../format';
import type { Json } from '../../model/types';
import { useKubeflow } from '../../ui/context';

/** What the server gives to look at, instead of the value itself. */
export interface IPreview {
  type?: string;
  summary?: string;
  kind: 'table' | 'array' | 'text' | 'image' | 'json' | 'html' | string;
  bytes?: number;
  data?: unknown;
}

export function Preview(props: { preview: IPreview }): JSX.Element {
  const { preview } = props;
  const { trans } = useKubeflow();
  const data = preview.data as never;
  switch (preview.kind) {
    case 'table':
      return <TablePreview data={data} />;
    case 'array':
      return <ArrayPreview data={data} />;
    case 'image':
      return <ImagePreview data={data} label={preview.summary ?? trans.__('Image')} />;
    case 'html':
      return <HtmlFrame html={textOf(data, 'html')} label={preview.summary ?? 'HTML'} />;
    case 'text':
      return (
        <pre className="jk-Preview-text" tabIndex={0} dir="auto">
          {textOf(data, 'text') || preview.summary}
        </pre>
      );
    default:
      return <JsonPreview value={data} />;
  }
}

function textOf(data: unknown, key: string): string {
  if (typeof data === 'string') {
    return data;
  }
  const found = (data as Record<string, unknown> | null)?.[key];
  return typeof found === 'string' ? found : JSON.stringify(data, null, 2);
}

export interface ITableData {
  columns: ({ name: string; type?: string } | string)[];
  index?: { name?: string; values: Json[] } | null;
  rows: Json[][];
  shape?: [number, number];
}

export function TablePreview(props: { data: ITableData }): JSX.Element {
  const { data } = props;
  const { trans } = useKubeflow();
  const columns = data.columns.map(column =>
    typeof column === 'string' ? { name: column, type: undefined } : column
  );
  const rest = (data.shape?.[0] ?? data.rows.length) - data.rows.length;
  const hidden = (data.shape?.[1] ?? columns.length) - columns.length;
  return (
    <div className="jk-Preview-table">
      <div className="jk-ScrollX" tabIndex={0} role="region" aria-label={trans.__('Table preview')}>
        <table className="jk-Table jk-mod-data">
          <thead>
            <tr>
              {data.index && (
                <th scope="col">
                  {data.index.name || (
                    <span className="jk-visuallyHidden">{trans.__('Index')}</span>
                  )}
                </th>
              )}
              {columns.map((column, index) => (
                <th
                  key={index}
                  scope="col"
                  className={isNumeric(data, index) ? 'jk-Number' : undefined}
                >
                  <span dir="auto">{column.name}</span>
                  {column.type && <small>{column.type}</small>}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {data.rows.map((row, index) => (
              <tr key={index}>
                {data.index && <th scope="row">{cell(data.index.values[index])}</th>}
                {row.map((value, column) => (
                  <td
                    key={column}
                    className={typeof value === 'number' ? 'jk-Number' : undefined}
                    title={typeof value === 'string' && value.length > 40 ? value : undefined}
                    dir="auto"
                  >
                    {cell(value)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {(rest > 0 || hidden > 0) && (
        <p className="jk-Muted">
          {rest > 0 && trans.__('… and %1 more rows', rest.toLocaleString())}
          {hidden > 0 && ` ${trans.__('… and %1 more columns', hidden)}`}
        </p>
      )}
    </div>
  );
}

function isNumeric(data: ITableData, column: number): boolean {
  return data.rows.some(row => typeof row[column] === 'number');
}

function cell(value: Json | undefined): React.ReactNode {
  if (value === null || value === undefined) {
    return <span className="jk-Muted">–</span>;
  }
  if (typeof value === 'number') {
    return Number.isInteger(value) ? String(value) : number(value);
  }
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

interface IArrayData {
  dtype?: string;
  shape?: number[];
  min?: number | null;
  max?: number | null;
  mean?: number | null;
  values?: Json;
  histogram?: { edges: number[]; counts: number[] } | null;
}

function ArrayPreview(props: { data: IArrayData }): JSX.Element {
  const { data } = props;
  const { trans } = useKubeflow();
  const facts: [string, string | undefined][] = [
    [trans.__('Shape'), data.shape?.join(' × ')],
    [trans.__('Type'), data.dtype],
    [trans.__('Range'), range(data)],
    [
      trans.__('Mean'),
      data.mean === null || data.mean === undefined ? undefined : number(data.mean)
    ]
  ];
  return (
    <div className="jk-Preview-array">
      <dl className="jk-Facts">
        {facts
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <React.Fragment key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </React.Fragment>
          ))}
      </dl>
      {data.histogram && (
        <Histogram {...data.histogram} label={trans.__('Distribution of the values')} />
      )}
      {data.values !== undefined && (
        <pre className="jk-Preview-text" tabIndex={0}>
          {nested(data.values)}
        </pre>
      )}
    </div>
  );
}

function range(data: IArrayData): string | undefined {
  return typeof data.min === 'number' && typeof data.max === 'number'
    ? `${number(data.min)} … ${number(data.max)}`
    : undefined;
}

function nested(value: Json, indent = ''): string {
  if (!Array.isArray(value)) {
    return typeof value === 'number' ? number(value) : JSON.stringify(value);
  }
  if (!value.some(Array.isArray)) {
    return `${indent}[${value.map(item => nested(item)).join(', ')}]`;
  }
  return `${indent}[\n${value.map(item => nested(item, `${indent} `)).join('\n')}\n${indent}]`;
}

function ImagePreview(props: {
  data: { mime?: string; base64?: string; digest?: string };
  label: string;
}): JSX.Element {
  const { url } = useKubeflow();
  const { data } = props;
  const mime = data.mime ?? 'image/png';
  const src = data.base64
    ? `data:${mime};base64,${data.base64}`
    : url(`blobs/${data.digest}?mime=${encodeURIComponent(mime)}`);
  return <img className="jk-Preview-image" src={src} alt={props.label} loading="lazy" />;
}

/** HTML from users' code: scripts may run, but in an origin of their own, with no way out. */
export function HtmlFrame(props: { html: string; label: string }): JSX.Element {
  const frame = React.useRef<HTMLIFrameElement>(null);
  const [height, setHeight] = React.useState(240);
  React.useEffect(() => {
    const listen = (event: MessageEvent<{ jkHeight?: unknown }>) => {
      if (event.source === frame.current?.contentWindow) {
        const said = Number(event.data?.jkHeight);
        if (said > 0) {
          setHeight(Math.min(720, Math.max(60, Math.ceil(said))));
        }
      }
    };
    window.addEventListener('message', listen);
    return () => window.removeEventListener('message', listen);
  }, []);
  const report =
    '<script>new ResizeObserver(()=>parent.postMessage({jkHeight:document.body.getBoundingClientRect().height+18},"*")).observe(document.body)</script>';
  return (
    <iframe
      ref={frame}
      className="jk-HtmlFrame"
      title={props.label}
      sandbox="allow-scripts"
      srcDoc={`<!doctype html><meta charset="utf-8">${FRAME_STYLE}${props.html}${report}`}
      style={{ height }}
    />
  );
}

const FRAME_STYLE =
  '<style>body{margin:8px;font:13px system-ui,sans-serif;background:Canvas;color:CanvasText}table{border-collapse:collapse}td,th{padding:2px 8px;text-align:right}</style>';

const MOST_TEXT = 20_000;

function JsonPreview(props: { value: unknown }): JSX.Element {
  const text = JSON.stringify(props.value, null, 2) ?? '';
  return (
    <pre className="jk-Preview-text" tabIndex={0}>
      {text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text}
    </pre>
  );
}

/** What `metrics()`, `roc()`, `confusion_matrix()` and `artifact()` displayed. */
export interface IDisplayed {
  type: string;
  name?: string;
  mime?: string;
  summary?: string;
  values?: Record<string, number>;
  labels?: (string | number)[];
  matrix?: number[][];
  fpr?: number[];
  tpr?: number[];
  auc?: number;
  table?: ITableData;
  value?: unknown;
}

/** `bundle` has the same in other types, for example the picture itself. */
export function Displayed(props: {
  data: IDisplayed;
  bundle?: Record<string, unknown>;
}): JSX.Element {
  const { data } = props;
  const { trans } = useKubeflow();
  if (data.type === 'confusion_matrix' && data.matrix && data.labels) {
    return <ConfusionMatrix name={data.name} labels={data.labels} matrix={data.matrix} />;
  }
  if (data.type === 'roc' && data.fpr && data.tpr) {
    return <RocChart name={data.name} fpr={data.fpr} tpr={data.tpr} auc={data.auc} />;
  }
  if (data.type === 'metrics' && data.values) {
    return (
      <dl className="jk-Facts jk-mod-metrics" aria-label={trans.__('Metrics')}>
        {Object.entries(data.values).map(([name, value]) => (
          <React.Fragment key={name}>
            <dt dir="auto">{name}</dt>
            <dd title={String(value)}>{number(value)}</dd>
          </React.Fragment>
        ))}
      </dl>
    );
  }
  return (
    <figure className="jk-Artifact" aria-label={data.name}>
      <figcaption dir="auto">{data.name}</figcaption>
      <DisplayedArtifact {...props} />
    </figure>
  );
}

function DisplayedArtifact(props: {
  data: IDisplayed;
  bundle?: Record<string, unknown>;
}): JSX.Element | null {
  const { data } = props;
  const { mime, name } = data;
  if (data.table) {
    return <TablePreview data={data.table} />;
  }
  if (data.value !== undefined) {
    return <JsonPreview value={data.value} />;
  }
  const content = mime ? props.bundle?.[mime] : undefined;
  if (!mime || content === undefined) {
    return <span className="jk-Muted">{data.summary ?? mime}</span>;
  }
  const text = Array.isArray(content) ? content.join('') : String(content);
  if (mime === 'text/html') {
    return <HtmlFrame html={text} label={name ?? 'HTML'} />;
  }
  if (mime.startsWith('image/')) {
    const body = mime === 'image/svg+xml' ? `;utf8,${encodeURIComponent(text)}` : `;base64,${text}`;
    return <img className="jk-Preview-image" src={`data:${mime}${body}`} alt={name ?? ''} />;
  }
  return (
    <pre className="jk-Preview-text" tabIndex={0}>
      {text}
    </pre>
  );
}

export function sizeNote(size: number | null | undefined): string {
  return size ? bytes(size) : '';
}
