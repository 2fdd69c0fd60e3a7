import { featureSettings } from '../../settings/feature.ts';
import { optional, port } from '../../settings/setting.ts';

export const metricsSettings = featureSettings({
  title: 'Metrics',
  settings: {
    METRICS_PORT: optional({
      about: 'Where Prometheus reads metrics: at /metrics on this port of HOST. Visitors must not reach it.',
      unset: 'no metrics',
      read: port,
    }),
  },
  checks: [
    {
      between: ['PORT', 'METRICS_PORT'],
      problem: ({ PORT, METRICS_PORT }) =>
        PORT === METRICS_PORT && PORT !== 0
          ? 'METRICS_PORT is the same as PORT; give metrics a port of their own, which visitors cannot reach'
          : undefined,
    },
  ],
  read: ({ HOST, METRICS_PORT }) => ({ host: HOST, port: METRICS_PORT }),
});
