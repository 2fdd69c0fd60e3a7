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
      set: 'KEY value',
      subscribe: 'KEY',
      time: '',
      zmscore: 'KEY member',
    },
    keys: ['blocks', 'cut-off', 'h:{tag}', 'operator-log'],
  },
  read: () => ({}),
});
