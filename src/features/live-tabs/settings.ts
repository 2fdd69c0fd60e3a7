import * as z from 'zod';
import { featureSettings } from '../../settings/feature.ts';
import { setting } from '../../settings/setting.ts';
import type {} from '../../shared/redis-permissions.ts';

export const liveTabsSettings = featureSettings({
  title: 'Live tabs',
  settings: {
    LIVE_TABS_MAX: setting({
      about:
        'The number of browsers to which each process keeps a connection open, so that their tabs learn at once that their session has ended. Others find out when a tab becomes visible. `0` turns this off.',
      default: '10000',
      read: z
        .string()
        .regex(/^(0|[1-9]\d{0,5})$/, 'takes a whole number from 0 to 999999')
        .transform(Number),
    }),
  },
  redisPermissions: { commands: { publish: 'KEY message', subscribe: 'KEY' }, keys: [] },
  read: ({ LIVE_TABS_MAX }) => ({ maxStreams: LIVE_TABS_MAX }),
});
