import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { figures } from '../../shared/figures.ts';

/** Shows the figures that other features publish; each is there from its first publication on, be it a zero. */
export function showFigures(registry: Registry): void {
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Histogram>();

  figures.subscribe((figure) => {
    const { name, help, labels = {} } = figure;
    const options = { name, help, labelNames: Object.keys(labels), registers: [registry] };
    if ('add' in figure) {
      const counter = counters.get(name) ?? new Counter(options);
      counters.set(name, counter);
      counter.inc(labels, figure.add);
    } else if ('set' in figure) {
      const gauge = gauges.get(name) ?? new Gauge({ ...options, aggregator: figure.isShare ? 'sum' : 'max' });
      gauges.set(name, gauge);
      gauge.set(labels, figure.set);
    } else {
      const histogram = histograms.get(name) ?? new Histogram({ ...options, buckets: figure.buckets });
      histograms.set(name, histogram);
      if (figure.observe === undefined) histogram.zero(labels);
      else histogram.observe(labels, figure.observe);
    }
  });
}
