import { isDecodable } from '../http/decodable.ts';

export type HostAndPort = { host: string; port: number };
export type Credentials = { username?: string; password?: string };

/** One form of `REDIS_URL`. */
export type RedisUrlForm<Target> = {
  /** Shows the form to an operator. */
  example: string;
  /** What a URL of this form names, what is wrong with it, or undefined for a URL of another form. */
  read: (text: string) => Target | { problem: string } | undefined;
};

/** One Redis: a URL, or the unix socket of a private one. */
export type SingleRedis = { kind: 'single'; address: { url: string } | { socketPath: string } };

export const singleRedisUrl: RedisUrlForm<SingleRedis> = {
  example: 'redis://:password@localhost:6379 for one Redis (rediss for TLS)',
  read(text) {
    if (!/^rediss?:\/\//.test(text)) return undefined;
    const problem = {
      problem:
        'takes redis://:password@localhost:6379 for one Redis (rediss for TLS), with special characters in the password percent-encoded',
    };
    if (!URL.canParse(text)) return problem;
    const { hostname, pathname, username, password } = new URL(text);
    const isValid = /^[^,]+$/.test(hostname) && /^\/?\d*$/.test(pathname) && isDecodable(username + password);
    return isValid ? { kind: 'single', address: { url: text } } : problem;
  },
};

const listShape =
  /^(?<scheme>rediss?)\+(?<kind>sentinel|cluster):\/\/(?:(?<user>[^@/?#]*)@)?(?<hosts>[^@/?#]+)(?:\/(?<path>[^?#]*))?(?:\?(?<query>[^#]*))?$/;

/** The parts of a URL that names several hosts, such as `redis+cluster://:password@host1:7000,host2:7001`. */
export type HostListUrl = {
  hosts: HostAndPort[];
  credentials: Credentials;
  tls: boolean;
  path: string;
  options: Map<string, string>;
};

/** Takes apart a URL that names several hosts; undefined when it is malformed. */
export function parseHostListUrl(text: string, defaultPort: number): HostListUrl | undefined {
  const { scheme, user = '', hosts = '', path = '', query = '' } = listShape.exec(text)?.groups ?? {};
  const listed = hosts.split(',').map((host) => readHost(host, defaultPort));
  const known = listed.filter((host) => host !== undefined);
  const credentials = readCredentials(user);
  if (scheme === undefined || known.length < listed.length || !credentials) return undefined;
  return { hosts: known, credentials, tls: scheme === 'rediss', path, options: new Map(new URLSearchParams(query)) };
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

/** Credentials without the parts that are empty. */
export function credentialsOf(username = '', password = ''): Credentials {
  return { ...(username !== '' && { username }), ...(password !== '' && { password }) };
}
