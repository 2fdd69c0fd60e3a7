import { isDecodable, parseUrl } from '../../http/url.ts';
import type { Credentials, HostAndPort, RedisUrlForm, SingleRedis } from '../../redis/url.ts';
import { SettingProblem } from '../../settings/setting.ts';

const examples = {
  host: 'redis://:password@localhost:6379/0',
  socket: 'unix://:password@/run/redis.sock?db=0',
};
/** The size of `sun_path` on Linux, less its closing NUL. */
const maxSocketPathBytes = 107;

export const singleRedisUrl: RedisUrlForm<SingleRedis> = {
  example: `${examples.host} for one Redis (rediss for TLS), ${examples.socket} for its unix socket`,
  read(text) {
    if (text.startsWith('unix:')) return readSocketUrl(text);
    return /^rediss?:/.test(text) ? readHostUrl(text) : undefined;
  },
};

function readHostUrl(text: string): SingleRedis {
  const { scheme, credentials, hosts, path, options } = splitRedisUrl(text);
  const [address, ...others] = readHosts(hosts, 6379);
  if (!address || others.length > 0)
    throw new SettingProblem(`names several hosts; this form takes one: ${examples.host}`);
  if (!/^(?:\/\d{0,4})?$/.test(path)) {
    throw new SettingProblem(`has a path that is not the number of a database; write ${examples.host}`);
  }
  const [option] = options.keys();
  if (option !== undefined) {
    throw new SettingProblem(
      [
        `has the option "${option}", but takes none: the password goes before the host and the database behind it, as in ${examples.host}`,
        'a CA goes into CA_FILE', // feature: private-ca
      ].join('; '),
    );
  }
  return { kind: 'single', address, credentials, database: Number(path.slice(1)), tls: scheme === 'rediss' };
}

function readSocketUrl(text: string): SingleRedis {
  if (!text.startsWith('unix://')) throw new SettingProblem(`takes unix:// and an absolute path: ${examples.socket}`);
  const { credentials, hosts, path, options } = splitRedisUrl(text);
  if (hosts !== '' || path.length < 2 || !isDecodable(path)) {
    throw new SettingProblem(`takes an absolute path behind unix://, percent-encoded: ${examples.socket}`);
  }
  const socketPath = decodeURIComponent(path);
  if (Buffer.byteLength(socketPath) > maxSocketPathBytes) {
    throw new SettingProblem(
      `has a path of over ${maxSocketPathBytes} bytes, too long for a unix socket; use a shorter one`,
    );
  }
  const { db = '0', ...unknown } = Object.fromEntries(options);
  if (Object.keys(unknown).length > 0 || !/^\d{1,4}$/.test(db)) {
    throw new SettingProblem(`takes no option but the number of a database: ${examples.socket}`);
  }
  return { kind: 'single', address: { socketPath }, credentials, database: Number(db) };
}

/** The parts of `scheme://user:password@hosts/path?options`, decoded except for the path. */
export type RedisUrlParts = {
  scheme: string;
  credentials: Credentials;
  hosts: string;
  path: string;
  options: Map<string, string>;
};

/**
 * Takes a URL apart. Unlike `new URL()` it drops nothing: that removes line breaks, reads `#` in a password as the
 * start of a fragment, and takes one host only.
 * @throws {SettingProblem}
 */
export function splitRedisUrl(text: string): RedisUrlParts {
  if (/[\s\p{C}]/u.test(text)) throw new SettingProblem('contains white space or control characters; remove them');
  const [, scheme = '', userInfo, location = ''] = /^([a-z+]+):\/\/(?:(.*)@)?(.*)$/.exec(text) ?? [];
  const [, hosts = '', path = '', query = '', fragment] =
    /^([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?(#.*)?$/.exec(location) ?? [];
  if (fragment !== undefined) throw new SettingProblem('has a "#"; in a password write %23, elsewhere remove it');
  const credentials = userInfo === undefined ? {} : readUserInfo(userInfo);
  return { scheme, credentials, hosts, path, options: readOptions(query) };
}

function readUserInfo(userInfo: string): Credentials {
  const [username = '', ...rest] = userInfo.split(':');
  const password = rest.join(':');
  if (/[/?#@]/.test(userInfo) || !isDecodable(userInfo)) {
    throw new SettingProblem(
      'has special characters in its user name or password; percent-encode them: % as %25, # as %23, / as %2F, ? as %3F, @ as %40',
    );
  }
  // node-redis would connect as the default user, and an unset variable in a template would go unnoticed.
  if (password === '') {
    throw new SettingProblem(
      'has no password in front of the "@"; write :password@ or user:password@, or leave out the "@"',
    );
  }
  return credentialsOf(decodeURIComponent(username), decodeURIComponent(password));
}

// Not with URLSearchParams, to which a "+" is a space.
function readOptions(query: string): Map<string, string> {
  const options = new Map<string, string>();
  for (const option of query.split('&').filter(Boolean)) {
    const [name = '', ...value] = option.split('=');
    if (!isDecodable(option)) throw new SettingProblem('has an option that is not percent-encoded; write % as %25');
    if (options.has(name)) throw new SettingProblem(`has the option "${name}" twice; remove one`);
    options.set(name, decodeURIComponent(value.join('=')));
  }
  return options;
}

/**
 * Reads `host1:port,host2,[::1]:port`.
 * @throws {SettingProblem}
 */
export function readHosts(text: string, defaultPort: number): HostAndPort[] {
  return text.split(',').map((host) => {
    const isNamed = /^([\w.-]+|\[[\da-f:.]+\])(:[1-9]\d*)?$/i.test(host);
    const url = isNamed ? parseUrl(`redis://${host}`) : undefined;
    if (!url) {
      throw new SettingProblem(
        'has a host or port that is not valid; write host:port, and an IPv6 address as [::1]:port',
      );
    }
    const { hostname, port } = url;
    return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? defaultPort : Number(port) };
  });
}

/** Credentials without the parts that are empty. */
export function credentialsOf(username = '', password = ''): Credentials {
  return { ...(username !== '' && { username }), ...(password !== '' && { password }) };
}
