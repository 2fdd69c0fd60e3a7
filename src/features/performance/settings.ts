import { featureSettings } from '../../settings/feature.ts';

export const performanceSettings = featureSettings({
  title: 'Performance',
  settings: {},
  redisPermissions: { commands: { evalsha: 'hash 1 KEY' }, keys: [] },
  read: () => ({}),
});
