import { credentialsOf, parseHostListUrl } from '../../redis/host-list-url.ts';
import type { Credentials, HostAndPort, RedisUrlForm } from '../../redis/url.ts';

/** The primary that Sentinels know. */
export type SentinelTarget = {
  kind: 'sentinel';
  sentinels: HostAndPort[];
  sentinelCredentials: Credentials;
  /** The name under which the Sentinels watch the primary. */
  primaryName: string;
  database: number;
  credentials: Credentials;
  tls: boolean;
};

const example = 'redis+sentinel://:password@host1:26379,host2:26379/mymaster for the primary that Sentinels know';
const optionNames = ['sentinel_username', 'sentinel_password'];

/**
 * `redis+sentinel://user:password@host1:26379,host2:26379/name/database`, with `rediss` for TLS. User and password are
 * for Redis; those of the Sentinels are in `?sentinel_username=` and `?sentinel_password=`.
 */
export const sentinelUrl: RedisUrlForm<SentinelTarget> = {
  example,
  read(text) {
    if (!/^rediss?\+sentinel:/.test(text)) return undefined;
    const url = parseHostListUrl(text, 26_379);
    const [, primaryName, database = '0'] = /^([\w.-]+)(?:\/(\d{1,4}))?$/.exec(url?.path ?? '') ?? [];
    if (!url || primaryName === undefined || [...url.options.keys()].some((name) => !optionNames.includes(name))) {
      return { problem: `takes ${example}` };
    }
    const { hosts, credentials, tls, options } = url;
    return {
      kind: 'sentinel',
      sentinels: hosts,
      sentinelCredentials: credentialsOf(options.get('sentinel_username'), options.get('sentinel_password')),
      primaryName,
      database: Number(database),
      credentials,
      tls,
    };
  },
};
