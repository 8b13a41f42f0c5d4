import * as React from 'react';

import { ChartCursor } from '../../chart/cursor';
import { Lines } from '../../chart/lines';
import { number } from '../../format';
import type { CurvesFeed } from '../../training/model/curves';
import { useKubeflow, useNow, useSeen } from '../../ui/context';
import { ErrorLine } from '../../ui/controls';
import { isStopped, variantsOf } from '../model/endpoint';
import { latency } from '../model/interval';
import type { ITrafficChart } from '../model/series';
import { newest, trafficCharts } from '../model/series';
import type { IEndpoint } from '../model/types';

const SPANS = [60, 300, 900, 3600];
const HEIGHT = 130;

/** Rate, latency and errors of each variant on one time axis that moves along. */
export function TrafficCharts(props: {
  item: IEndpoint;
  feed: CurvesFeed;
  count: number;
}): JSX.Element {
  const { item, feed } = props;
  const { trans } = useKubeflow();
  const [span, setSpan] = React.useState(SPANS[1]);
  const cursor = React.useMemo(() => new ChartCursor(), []);
  const seen = useSeen();
  const now = useNow(seen && !isStopped(item)) / 1000;
  const { series } = feed.curves;
  const names = variantsOf(item).map(({ name }) => name);
  // A clock of the server that goes ahead is no reason to show an empty end.
  const end = Math.max(now, newest(series) ?? 0);
  const charts = trafficCharts(series, names, end, span);
  if (feed.error && !feed.loaded) {
    return <ErrorLine error={feed.error} />;
  }
  if (!series.length) {
    return (
      <p className="jk-Quiet jk-Endpoint-noTraffic">
        {feed.loaded
          ? trans.__('No request came yet. Rate, latency and errors appear with the first one.')
          : trans.__('Loading…')}
      </p>
    );
  }
  return (
    <section className="jk-Endpoint-charts" aria-label={trans.__('Rate, latency and errors')}>
      <div className="jk-Endpoint-chartsBar">
        <select
          className="jk-Select"
          aria-label={trans.__('Time shown')}
          value={span}
          onChange={event => setSpan(Number(event.target.value))}
        >
          {SPANS.map(seconds => (
            <option key={seconds} value={seconds}>
              {trans.__('Last %1', spanText(seconds))}
            </option>
          ))}
        </select>
        {names.length > 1 && (
          <ul className="jk-Endpoint-legend" aria-label={trans.__('Colours')}>
            {names.map((name, index) => (
              <li key={name} className={`jk-c${index % 8}`}>
                <i className="jk-Swatch" />
                <span dir="auto">{name}</span>
              </li>
            ))}
          </ul>
        )}
      </div>
      <div className="jk-Endpoint-grid">
        {charts.map(chart => (
          <Chart key={chart.id} chart={chart} cursor={cursor} span={span} />
        ))}
      </div>
    </section>
  );
}

function spanText(seconds: number): string {
  return seconds < 3600 ? `${seconds / 60} min` : `${seconds / 3600} h`;
}

function Chart(props: { chart: ITrafficChart; cursor: ChartCursor; span: number }): JSX.Element {
  const { chart, span } = props;
  const { trans } = useKubeflow();
  const titles = {
    rate: trans.__('Requests a second'),
    latency: trans.__('Latency p95 (thin: p50, p99)'),
    errors: trans.__('Errors a second')
  };
  const labels = {
    rate: trans.__('Rate over time'),
    latency: trans.__('Latency over time'),
    errors: trans.__('Errors over time')
  };
  const most = Math.max(
    ...chart.lines.flatMap(line => line.y.filter(Number.isFinite)),
    chart.id === 'latency' ? 0.001 : 1
  );
  return (
    <div className="jk-Curve">
      <h3>{titles[chart.id]}</h3>
      <Lines
        label={labels[chart.id]}
        x={{ name: trans.__('Ago'), format: agoText, domain: [-span, 0] }}
        y={{
          name: titles[chart.id],
          format: chart.id === 'latency' ? latency : number,
          domain: [0, most * 1.05]
        }}
        lines={chart.lines}
        cursor={props.cursor}
        height={HEIGHT}
      />
    </div>
  );
}

function agoText(seconds: number): string {
  const size = Math.round(-seconds);
  return size === 0 ? '0' : size % 60 === 0 ? `−${size / 60} min` : `−${size} s`;
}
