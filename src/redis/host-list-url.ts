import { isDecodable } from '../http/url.ts';
import type { Credentials, HostAndPort } from './url.ts';

const listShape =
  /^(?<scheme>rediss?)\+[a-z]+:\/\/(?:(?<user>[^@/?#]*)@)?(?<hosts>[^@/?#]+)(?:\/(?<path>[^?#]*))?(?:\?(?<query>[^#]*))?$/;

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
