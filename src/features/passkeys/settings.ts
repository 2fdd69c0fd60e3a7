import * as z from 'zod';
import { isHost, parseUrl } from '../../http/url.ts';
import { featureSettings } from '../../settings/feature.ts';
import { optional } from '../../settings/setting.ts';
import type {} from '../../shared/redis-permissions.ts';
import { accountsKey } from './accounts.ts';
import { isIpAddress } from './relying-party.ts';

const labels = /^(?!-)[a-z\d-]{1,63}(?<!-)(?:\.(?!-)[a-z\d-]{1,63}(?<!-))*$/;
const idFix = 'takes the host of BASE_URL or a domain above it, such as example.com for https://login.example.com';

const relyingPartyId = z.string().transform((text, context) => {
  const host = parseUrl(`https://${text}`)?.hostname ?? '';
  // A single label is a top-level domain, which no browser takes.
  if (labels.test(host) && !isIpAddress(host) && host.includes('.') && !/[/:?#@\\]/.test(text)) return host;
  context.addIssue({ code: 'custom', message: idFix });
  return z.NEVER;
});

const originList = z.string().transform((text, context) => {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== '');
  const urls = entries.map((entry) => parseUrl(entry));
  const isOrigin = (url: URL | undefined, index: number) =>
    url?.protocol === 'https:' &&
    isHost(url.hostname) &&
    url.href === `${url.origin}/` &&
    !/[/?#\\]$/.test(entries[index] ?? '');
  if (entries.length > 0 && urls.every(isOrigin)) return urls.flatMap((url) => url?.origin ?? []);
  context.addIssue({
    code: 'custom',
    message: 'takes origins with https and without a path: https://example.com, https://example.de',
  });
  return z.NEVER;
});

export const passkeysSettings = featureSettings({
  title: 'Passkeys',
  settings: {
    PASSKEYS_RP_ID: optional({
      about:
        'The domain that passkeys are for, where it should be wider than the host of BASE_URL: example.com for https://login.example.com. Every site below it can then make browsers use, replace and delete them, so choose one whose subdomains are all yours, never one under which others get names. A change makes every passkey unusable.',
      unset: 'the host of BASE_URL',
      read: relyingPartyId,
    }),
    PASSKEYS_RELATED_ORIGINS: optional({
      about:
        'Other origins that may use these passkeys, separated by commas: those of further Latchkeys with the same Redis and the same PASSKEYS_RP_ID. Browsers accept at most five different domain names. Whoever controls one of these sites can ask its visitors for their passkeys.',
      unset: 'none',
      read: originList,
    }),
  },
  checks: [
    {
      between: ['BASE_URL', 'PASSKEYS_RP_ID', 'PASSKEYS_RELATED_ORIGINS'],
      problem: ({ BASE_URL, PASSKEYS_RP_ID: id, PASSKEYS_RELATED_ORIGINS: related = [] }) => {
        if (id === undefined) return undefined;
        if (BASE_URL === undefined) return 'PASSKEYS_RP_ID needs BASE_URL, whose host it must cover';
        const { hostname, origin } = new URL(BASE_URL);
        return hostname === id || hostname.endsWith(`.${id}`) || related.includes(origin)
          ? undefined
          : `PASSKEYS_RP_ID is ${id}, which does not cover ${hostname}: ${idFix}, or list ${origin} in PASSKEYS_RELATED_ORIGINS`;
      },
    },
  ],
  redisPermissions: {
    commands: {
      del: 'KEY',
      eval: 'script 1 KEY',
      get: 'KEY',
      hdel: 'KEY field',
      hexists: 'KEY field',
      hget: 'KEY field',
      hgetall: 'KEY',
      hkeys: 'KEY',
      hset: 'KEY field value',
      hsetnx: 'KEY field value',
      persist: 'KEY',
      pexpire: 'KEY 1000',
      sadd: 'KEY member',
      set: 'KEY value',
      srem: 'KEY member',
      type: 'KEY',
    },
    keys: ['p:{tag}', 'p:id', 'p:accounts', 'p:used', 'p:undo'],
    lasting: { key: accountsKey, what: 'passkeys' },
  },
  read: ({ PASSKEYS_RP_ID, PASSKEYS_RELATED_ORIGINS }) => ({
    /** Undefined: the host of `BASE_URL`. */
    relyingPartyId: PASSKEYS_RP_ID,
    relatedOrigins: PASSKEYS_RELATED_ORIGINS ?? [],
  }),
});
