import * as z from 'zod';
import { featureSettings } from '../../settings/feature.ts';
import { optional } from '../../settings/setting.ts';

export const redisKeyPrefixSettings = featureSettings({
  title: 'Redis key prefix',
  settings: {
    REDIS_KEY_PREFIX: optional({
      about:
        'Goes in front of every key in Redis, so that an ACL can fence Latchkey in (such as latchkey: for the ACL rule ~latchkey:*). Changing it signs everybody out, and nothing else that was stored is found any longer.',
      unset: 'no prefix, which takes the least memory',
      read: z.string().regex(/^[\w.:-]{1,32}$/, 'takes up to 32 letters, digits and any of . _ : -, such as latchkey:'),
    }),
  },
  read: ({ REDIS_KEY_PREFIX = '' }) => REDIS_KEY_PREFIX,
});
