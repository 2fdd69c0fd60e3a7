import type { Credentials, HostAndPort, RedisUrlForm } from '../../redis/url.ts';
import { SettingProblem } from '../../settings/setting.ts';
import type { RedisPermissions } from '../../shared/redis-permissions.ts';
import { readHosts, splitRedisUrl } from '../redis-urls/url.ts';

/** A Redis Cluster. */
export type ClusterTarget = { kind: 'cluster'; nodes: HostAndPort[]; credentials: Credentials; tls: boolean };

const example = 'redis+cluster://:password@host1:7000,host2:7001 for a Cluster';

const clusterPermissions: RedisPermissions = {
  commands: {
    asking: '',
    'cluster|slots': '',
    ping: '',
    spublish: 'KEY message', // feature: live-tabs
    ssubscribe: 'KEY', // feature: live-tabs
  },
  keys: [],
};

/** `redis+cluster://user:password@host1:7000,host2:7001`, with `rediss` for TLS. A Cluster has database 0 only. */
export const clusterUrl: RedisUrlForm<ClusterTarget> = {
  example,
  permissions: clusterPermissions,
  read(text) {
    if (!/^rediss?\+cluster:/.test(text)) return undefined;
    const { scheme, credentials, hosts, path, options } = splitRedisUrl(text);
    if (!/^\/?0?$/.test(path) || options.size > 0) {
      throw new SettingProblem(`takes hosts and nothing behind them: ${example} (which has no database but 0)`);
    }
    return { kind: 'cluster', nodes: readHosts(hosts, 6379), credentials, tls: scheme.startsWith('rediss') };
  },
};
