import { featureSettings } from '../../settings/feature.ts';

export const repeatedFormsSettings = featureSettings({
  title: 'Repeated forms',
  settings: {},
  redisPermissions: {
    commands: { get: 'KEY', set: 'KEY value' },
    keys: ['f:form'],
  },
  read: () => ({}),
});
