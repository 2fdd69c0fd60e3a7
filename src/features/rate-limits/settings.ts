import { featureSettings } from '../../settings/feature.ts';
import { setting, wholeNumber } from '../../settings/setting.ts';
import type {} from '../../shared/redis-permissions.ts';

export const rateLimitSettings = featureSettings({
  title: 'Rate limits',
  settings: {
    SIGN_INS_PER_DAY: setting({
      about:
        'How often a client may sign in per day where SIGN_IN=trust. A client is an IPv4 address or an IPv6 /64; a /56 has twice the allowance, a /48 four times. With the default, one client can leave at most 10 MB of sessions in Redis, a /48 40 MB.',
      default: '500',
      read: wholeNumber,
    }),
  },
  redisPermissions: {
    commands: {
      del: 'KEY',
      eval: 'script 1 KEY',
      expire: 'KEY 60',
      get: 'KEY',
      incrby: 'KEY 1',
      pttl: 'KEY',
    },
    keys: ['l:{tag}limit'],
  },
  read: (values) => ({ signInsPerDay: values.SIGN_INS_PER_DAY }),
});
