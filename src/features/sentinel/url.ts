import type { Credentials, HostAndPort, RedisUrlForm } from '../../redis/url.ts';
import { SettingProblem } from '../../settings/setting.ts';
import { credentialsOf, readHosts, splitRedisUrl } from '../redis-urls/url.ts';

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

/**
 * `redis+sentinel://user:password@host1:26379,host2:26379/name/database`, with `rediss` for TLS. User and password are
 * for Redis; those of the Sentinels are in `?sentinel_username=` and `?sentinel_password=`.
 */
export const sentinelUrl: RedisUrlForm<SentinelTarget> = {
  example,
  read(text) {
    if (!/^rediss?\+sentinel:/.test(text)) return undefined;
    const { scheme, credentials, hosts, path, options } = splitRedisUrl(text);
    const [, primaryName, database = '0'] = /^\/([\w.-]+)(?:\/(\d{1,4}))?$/.exec(path) ?? [];
    if (primaryName === undefined) {
      throw new SettingProblem(
        `takes the name of the primary behind the hosts, and perhaps a database (/mymaster/0): ${example}`,
      );
    }
    const { sentinel_username: user, sentinel_password: password, ...unknown } = Object.fromEntries(options);
    const [option] = Object.keys(unknown);
    if (option !== undefined) {
      throw new SettingProblem(`has the option "${option}"; it takes sentinel_username and sentinel_password only`);
    }
    if (user !== undefined && !password)
      throw new SettingProblem('has a sentinel_username without a sentinel_password');
    return {
      kind: 'sentinel',
      sentinels: readHosts(hosts, 26_379),
      sentinelCredentials: credentialsOf(user, password),
      primaryName,
      database: Number(database),
      credentials,
      tls: scheme.startsWith('rediss'),
    };
  },
};
