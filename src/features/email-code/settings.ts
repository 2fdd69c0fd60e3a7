import { featureSettings } from '../../settings/feature.ts';
import { setting, wholeNumber } from '../../settings/setting.ts';
import type {} from '../../shared/redis-permissions.ts';

export const emailCodeSettings = featureSettings({
  title: 'Sign-in by mailed code',
  settings: {
    MAILS_PER_HOUR: setting({
      about:
        'How many codes are mailed in an hour, in all, for browsers in which their addresses have not signed in before.',
      default: '1000',
      read: wholeNumber,
    }),
  },
  signIn: {
    name: 'code',
    about: 'by a code that is mailed to the address',
    isReady: ({ SMTP_URL }) => SMTP_URL !== undefined,
    missing:
      'SMTP_URL is missing; name the mail server that sends the codes, such as smtp://user:password@mail.example.com:587',
  },
  redisPermissions: {
    commands: {
      decrby: 'KEY 1',
      del: 'KEY',
      eval: 'script 1 KEY',
      expire: 'KEY 60',
      get: 'KEY',
      hgetall: 'KEY',
      incrby: 'KEY 1',
      pttl: 'KEY',
      set: 'KEY value',
      time: '',
    },
    keys: ['c:{tag}challenge', 'd:{tag}browser', 'l:{tag}limit', 'n:link'],
  },
  read: ({ MAILS_PER_HOUR }) => ({ mailsPerHour: MAILS_PER_HOUR }),
});
