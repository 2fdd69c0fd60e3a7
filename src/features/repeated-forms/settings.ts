import { featureSettings } from '../../settings/feature.ts';
import type {} from '../../shared/redis-permissions.ts';

export const repeatedFormsSettings = featureSettings({
  title: 'Repeated forms',
  settings: {},
  redisPermissions: {
    commands: { get: 'KEY', set: 'KEY value' },
    keys: ['f:form'],
  },
  read: () => ({}),
});
