import * as z from 'zod';
import { featureSettings } from '../../settings/feature.ts';
import { setting } from '../../settings/setting.ts';

export const logFormatSettings = featureSettings({
  title: 'Log format',
  settings: {
    LOG_IP: setting({
      about:
        'Whether the log names clients by their address, in sign-ins, refusals and ends of sessions: `full`, `network` (the first 24 bits of an IPv4 address, 48 of an IPv6 one) or `off`. Tools such as fail2ban need `full`.',
      default: 'full',
      read: z.enum(['full', 'network', 'off'], 'takes full, network or off'),
    }),
    LOG_TIME: setting({
      about: 'How the log writes times: `epoch` (milliseconds since 1970) or `iso` (2026-01-31T12:00:00.000Z).',
      default: 'epoch',
      read: z.enum(['epoch', 'iso'], 'takes epoch or iso'),
    }),
  },
  read: ({ LOG_IP, LOG_TIME }) => ({ ip: LOG_IP, time: LOG_TIME }),
});
