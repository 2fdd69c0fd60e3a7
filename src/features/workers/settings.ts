import { availableParallelism } from 'node:os';
import * as z from 'zod';
import { featureSettings } from '../../settings/feature.ts';
import { setting } from '../../settings/setting.ts';

const maxWorkers = 64;
const fix = `takes auto, or a number of processes from 1 to ${maxWorkers}`;

export const workersSettings = featureSettings({
  title: 'Workers',
  settings: {
    WORKERS: setting({
      about: 'How many processes share the port: a number, or `auto` for one per core.',
      default: '1',
      read: z
        .string()
        .regex(/^(auto|[1-9]\d?)$/, fix)
        .transform((text) => (text === 'auto' ? availableParallelism() : Number(text)))
        .refine((count) => count <= maxWorkers, fix),
    }),
  },
  read: ({ WORKERS }) => ({ count: WORKERS }),
});
