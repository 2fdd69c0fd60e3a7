import { featureSettings } from '../../settings/feature.ts';

export const incidentsSettings = featureSettings({
  title: 'Incidents',
  settings: {},
  redisPermissions: {
    commands: {
      eval: 'script 1 KEY',
      exists: 'KEY',
      get: 'KEY',
      lpop: 'KEY',
      subscribe: 'KEY',
      time: '',
      zmscore: 'KEY member',
    },
    keys: ['blocks', 'cut-off', 'operator-log'],
  },
  read: () => ({}),
});
