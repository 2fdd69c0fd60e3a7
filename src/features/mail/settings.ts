import { BlockList, isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import * as z from 'zod';
import { isDecodable, isLoopback } from '../../http/url.ts';
import { featureSettings } from '../../settings/feature.ts';
import { optional, setting, url, wholeNumber } from '../../settings/setting.ts';
import type {} from '../../shared/redis-permissions.ts';
import { readSender } from './sender.ts';
import type { SmtpServer } from './smtp-session.ts';

const privateNetworks = new BlockList();
for (const [network, bits] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
] as const) {
  privateNetworks.addSubnet(network, bits);
}
privateNetworks.addSubnet('fc00::', 7, 'ipv6');
privateNetworks.addSubnet('fe80::', 10, 'ipv6');

const smtpUrlFix =
  'takes a URL of one host such as smtp://user:password@mail.example.com:587, with both user and password or neither, and special characters in them percent-encoded; ?tls=optional is the only option';

export const mailSettings = featureSettings({
  title: 'Mail',
  settings: {
    SMTP_URL: optional({
      about:
        'The mail server, such as smtp://user:password@mail.example.com:587 (with STARTTLS), or smtps:// (with TLS from the start). With ?tls=optional, and to this machine (localhost, 127.x or [::1]), mail and password are sent unencrypted if STARTTLS fails.',
      isSecret: true,
      unset: 'mail is not sent; in development it can be read at /dev/mails',
      read: url(
        /^smtps?:$/,
        ({ username, password, port, pathname, search, hash }) =>
          isDecodable(username + password) &&
          (username === '') === (password === '') &&
          port !== '0' &&
          /^\/?(?:\?tls=optional)?$/.test(pathname + search + hash),
        smtpUrlFix,
        // `new URL()` drops an empty user and password, as a template leaves them whose variables are not set.
      ).refine((text) => !/\/\/:?@/.test(text), smtpUrlFix),
    }),
    SMTP_PLAINTEXT_HOST: optional({
      about:
        'The host of SMTP_URL again, to confirm ?tls=optional in production. Not needed for private addresses, nor for names without a dot.',
      unset: 'in production, mail leaves private networks only by TLS',
      read: z.string(),
    }),
    SMTP_CONNECTIONS: setting({
      about:
        'The maximum number of connections to the mail server, from all processes together. With two or more, one is reserved for mail that strangers cannot cause.',
      default: '2',
      read: wholeNumber,
    }),
    SMTP_MAILS_PER_CONNECTION: setting({
      about: 'The maximum number of mails over one connection.',
      default: '50',
      read: wholeNumber,
    }),
    SMTP_MAILS_PER_MINUTE: setting({
      about: 'The maximum number of mails in a minute, from all processes together.',
      default: '600',
      read: wholeNumber,
    }),
    MAIL_FROM: optional({
      about: 'The sender of all mail, such as Latchkey <login@example.com>.',
      unset: 'SITE_NAME and login@ the host of BASE_URL',
      read: z.string().transform((text, context) => {
        const sender = readSender(text);
        if (sender) return sender;
        context.addIssue({
          code: 'custom',
          message: 'takes an address, or a name and an address: Latchkey <login@example.com>',
        });
        return z.NEVER;
      }),
    }),
  },
  checks: [
    {
      between: ['NODE_ENV', 'SMTP_URL', 'SMTP_PLAINTEXT_HOST'],
      problem: ({ NODE_ENV, SMTP_URL, SMTP_PLAINTEXT_HOST }) => {
        if (NODE_ENV !== 'production' || SMTP_URL === undefined || !isTlsOptional(SMTP_URL)) return undefined;
        const host = hostOf(SMTP_URL);
        return isPrivate(host) || SMTP_PLAINTEXT_HOST === host
          ? undefined
          : `SMTP_URL has ?tls=optional, which lets anybody on the network path to ${host} read the codes; remove it, or confirm it with SMTP_PLAINTEXT_HOST=${host}`;
      },
    },
    {
      between: ['SMTP_URL', 'SMTP_PLAINTEXT_HOST'],
      problem: ({ SMTP_URL, SMTP_PLAINTEXT_HOST }) =>
        SMTP_URL === undefined || SMTP_PLAINTEXT_HOST === undefined || SMTP_PLAINTEXT_HOST === hostOf(SMTP_URL)
          ? undefined
          : `SMTP_PLAINTEXT_HOST is not the host of SMTP_URL; remove it, or set it to ${hostOf(SMTP_URL)}`,
    },
  ],
  redisPermissions: {
    commands: {
      del: 'KEY',
      eval: 'script 1 KEY',
      exists: 'KEY',
      get: 'KEY',
      hdel: 'KEY field',
      hget: 'KEY field',
      hmget: 'KEY field',
      hset: 'KEY field value',
      hsetnx: 'KEY field value',
      pexpire: 'KEY 1000',
      pttl: 'KEY',
      set: 'KEY value',
      time: '',
      zadd: 'KEY 0 member',
      zcard: 'KEY',
      zrange: 'KEY 0 -1',
      zrem: 'KEY member',
    },
    keys: ['{outbox}:mail'],
  },
  read: (values) => {
    const host = literalOf(new URL(values.BASE_URL ?? 'http://localhost').hostname);
    const { SMTP_URL, MAIL_FROM, SITE_NAME, SMTP_CONNECTIONS, SMTP_MAILS_PER_MINUTE } = values;
    const session = { clientName: host, mailsPerSession: values.SMTP_MAILS_PER_CONNECTION };
    return {
      server: SMTP_URL === undefined ? undefined : readServer(SMTP_URL, session),
      /** For all processes together. */
      limits: { connections: SMTP_CONNECTIONS, mailsPerMinute: SMTP_MAILS_PER_MINUTE },
      /** Not for operators to set, because it keeps addresses secret: see `SendDelay` (ASVS 6.3.8). */
      maxDelayMs: 300,
      from: MAIL_FROM ?? { name: SITE_NAME, address: `login@${host}` },
      /** The site's host in mail: a name, or an address literal. */
      host,
    };
  },
});

function readServer(smtpUrl: string, options: Pick<SmtpServer, 'clientName' | 'mailsPerSession'>): SmtpServer {
  const { protocol, hostname, port, username, password } = new URL(smtpUrl);
  const host = hostOf(smtpUrl);
  const isImplicit = protocol === 'smtps:';
  // Nobody can eavesdrop on loopback, and no certificate is issued for it.
  const isOptional = isTlsOptional(smtpUrl) || isLoopback(hostname);
  return {
    host,
    port: Number(port) || (isImplicit ? 465 : 587),
    tls: isImplicit ? 'implicit' : isOptional ? 'opportunistic' : 'required',
    credentials:
      username === '' ? undefined : { user: decodeURIComponent(username), pass: decodeURIComponent(password) },
    ...options,
  };
}

// Parsed, since the text may end in white space or an empty `#`, which `new URL()` drops.
function isTlsOptional(smtpUrl: string): boolean {
  return new URL(smtpUrl).search !== '';
}

function hostOf(smtpUrl: string): string {
  const host = new URL(smtpUrl).hostname.replace(/^\[|\]$/g, '');
  // `new URL()` encodes international names for http only.
  return host.includes('%') ? domainToASCII(decodeURIComponent(host)) : host;
}

function isPrivate(host: string): boolean {
  const family = isIP(host);
  // Names without a dot are local, as in a Compose file. Numbers are IPv4 addresses in another notation.
  if (family === 0 && !host.includes('.')) return !/^(?:0x[\da-f]+|\d+)$/i.test(host);
  return (
    host === '::1' || isLoopback(host) || (family !== 0 && privateNetworks.check(host, family === 6 ? 'ipv6' : 'ipv4'))
  );
}

// RFC 5321, 4.1.3.
function literalOf(host: string): string {
  if (host.startsWith('[')) return `[IPv6:${host.slice(1)}`;
  return isIP(host) === 4 ? `[${host}]` : host;
}
