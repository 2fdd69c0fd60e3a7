import { parseHostListUrl } from '../../redis/host-list-url.ts';
import type { Credentials, HostAndPort, RedisUrlForm } from '../../redis/url.ts';

/** A Redis Cluster. */
export type ClusterTarget = { kind: 'cluster'; nodes: HostAndPort[]; credentials: Credentials; tls: boolean };

const example = 'redis+cluster://:password@host1:7000,host2:7001 for a Cluster';

/** `redis+cluster://user:password@host1:7000,host2:7001`, with `rediss` for TLS. A Cluster has no database but 0. */
export const clusterUrl: RedisUrlForm<ClusterTarget> = {
  example,
  read(text) {
    if (!/^rediss?\+cluster:/.test(text)) return undefined;
    const url = parseHostListUrl(text, 6379);
    if (url?.path !== '' || url.options.size > 0) return { problem: `takes ${example}` };
    const { hosts, credentials, tls } = url;
    return { kind: 'cluster', nodes: hosts, credentials, tls };
  },
};
