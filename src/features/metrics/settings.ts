import * as z from 'zod';
import { coreSettings } from '../../settings/core.ts';
import { featureSettings } from '../../settings/feature.ts';
import { optional, port } from '../../settings/setting.ts';
import type {} from '../../shared/redis-permissions.ts';

export const metricsSettings = featureSettings({
  title: 'Metrics',
  settings: {
    METRICS_PORT: optional({
      about: 'The port where Prometheus reads metrics, at /metrics. Visitors must not reach it.',
      unset: 'no metrics',
      read: port,
    }),
    METRICS_HOST: optional({
      about: 'The network address on which metrics are served.',
      unset: 'the same as `HOST`',
      read: z
        .string()
        .refine(
          (text) => coreSettings.HOST.schema.safeParse(text).success,
          'takes one address, and no port: 127.0.0.1',
        ),
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
    {
      between: ['METRICS_HOST', 'METRICS_PORT'],
      problem: ({ METRICS_HOST, METRICS_PORT }) =>
        METRICS_HOST !== undefined && METRICS_PORT === undefined
          ? 'METRICS_PORT is missing, without which METRICS_HOST does nothing; set it, or remove METRICS_HOST'
          : undefined,
    },
  ],
  redisPermissions: {
    commands: { eval: 'script 1 KEY', get: 'KEY', set: 'KEY value' },
    keys: ['metrics:sessions', 'metrics:turn'],
  },
  read: ({ HOST, METRICS_HOST = HOST, METRICS_PORT }) => ({ host: METRICS_HOST, port: METRICS_PORT }),
});
