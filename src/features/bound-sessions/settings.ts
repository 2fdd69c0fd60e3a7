import * as z from 'zod';
import { featureSettings } from '../../settings/feature.ts';
import { setting } from '../../settings/setting.ts';
import type {} from '../../shared/redis-permissions.ts';

export const boundSessionsSettings = featureSettings({
  title: 'Bound sessions',
  settings: {
    BOUND_SESSIONS: setting({
      about:
        'Whether sessions are bound to the device they began on, so that stolen cookies stop working within minutes. `auto`: where BASE_URL is https and the browser supports it. `off`: nowhere; sessions that are bound already need no proof meanwhile, and browsers keep their keys.',
      default: 'auto',
      read: z.enum(['auto', 'off'], 'takes auto or off'),
    }),
  },
  redisPermissions: {
    commands: {
      del: 'KEY',
      eval: 'script 1 KEY',
      expire: 'KEY 60',
      get: 'KEY',
      incrby: 'KEY 1',
      set: 'KEY value',
    },
    keys: ['b:{tag}used:challenge'],
  },
  read: ({ BOUND_SESSIONS }) => ({ isOn: BOUND_SESSIONS === 'auto' }),
});
