import { featureSettings } from '../../settings/feature.ts';
import type {} from '../../shared/redis-permissions.ts';

export const performanceSettings = featureSettings({
  title: 'Performance',
  settings: {},
  redisPermissions: { commands: { evalsha: 'hash 1 KEY' }, keys: [] },
  read: () => ({}),
});
