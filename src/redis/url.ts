import { isDecodable } from '../http/decodable.ts';

export type HostAndPort = { host: string; port: number };
export type Credentials = { username?: string; password?: string };

/** What a `REDIS_URL` asks for: one Redis, the primary that Sentinels know, or a Cluster. */
export type Topology =
  | { kind: 'one'; url: string }
  | {
      kind: 'sentinel';
      sentinels: HostAndPort[];
      sentinelCredentials: Credentials;
      /** The name under which the Sentinels watch the primary. */
      primaryName: string;
      database: number;
      credentials: Credentials;
      tls: boolean;
    }
  | { kind: 'cluster'; nodes: HostAndPort[]; credentials: Credentials; tls: boolean };

const shape =
  /^(?<scheme>rediss?)\+(?<kind>sentinel|cluster):\/\/(?:(?<user>[^@/?#]*)@)?(?<hosts>[^@/?#]+)(?:\/(?<path>[^?#]*))?(?:\?(?<query>[^#]*))?$/;

/**
 * Reads the forms that several libraries share: `redis://`, `redis+sentinel://` and `redis+cluster://`, each with
 * `rediss` for TLS. Of the second, user and password are for Redis; those of the Sentinels are in
 * `?sentinel_username=` and `?sentinel_password=`.
 * @returns undefined for anything else
 */
export function readRedisUrl(text: string): Topology | undefined {
  const { scheme, kind, user = '', hosts = '', path = '', query = '' } = shape.exec(text)?.groups ?? {};
  if (scheme === undefined) return readSingle(text);

  const listed = hosts.split(',').map((host) => readHost(host, kind === 'sentinel' ? 26_379 : 6379));
  const addresses = listed.filter((address) => address !== undefined);
  const credentials = readCredentials(user);
  const options = new Map(new URLSearchParams(query));
  if (addresses.length < listed.length || !credentials) return undefined;
  const tls = scheme === 'rediss';
  if (kind === 'cluster') {
    // A Cluster has no other database than 0.
    return path === '' && options.size === 0 ? { kind, nodes: addresses, credentials, tls } : undefined;
  }
  const [, primaryName, database = '0'] = /^([\w.-]+)(?:\/(\d{1,4}))?$/.exec(path) ?? [];
  const sentinelCredentials = credentialsOf(options.get('sentinel_username'), options.get('sentinel_password'));
  const known = ['sentinel_username', 'sentinel_password'];
  if (primaryName === undefined || [...options.keys()].some((name) => !known.includes(name))) return undefined;
  return {
    kind: 'sentinel',
    ...{ sentinels: addresses, sentinelCredentials, primaryName, database: Number(database), credentials, tls },
  };
}

function readSingle(text: string): Topology | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, pathname, username, password } = new URL(text);
  const isRedis = /^rediss?:$/.test(protocol) && /^[^,]+$/.test(hostname) && /^\/?\d*$/.test(pathname);
  return isRedis && isDecodable(username + password) ? { kind: 'one', url: text } : undefined;
}

function readHost(text: string, defaultPort: number): HostAndPort | undefined {
  if (!/^([\w.-]+|\[[\da-f:.]+\])(:\d+)?$/i.test(text) || !URL.canParse(`redis://${text}`)) return undefined;
  const { hostname, port } = new URL(`redis://${text}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? defaultPort : Number(port) };
}

function readCredentials(user: string): Credentials | undefined {
  if (!isDecodable(user)) return undefined;
  const [username = '', ...password] = user.split(':');
  return credentialsOf(decodeURIComponent(username), decodeURIComponent(password.join(':')));
}

function credentialsOf(username = '', password = ''): Credentials {
  return { ...(username !== '' && { username }), ...(password !== '' && { password }) };
}
