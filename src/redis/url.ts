import { isDecodable, parseUrl } from '../http/url.ts';

export type HostAndPort = { host: string; port: number };
export type Credentials = { username?: string; password?: string };

/** One Redis, at a host and port or on a unix socket. */
export type SingleRedis = {
  kind: 'single';
  address: HostAndPort | { socketPath: string };
  credentials?: Credentials;
  database?: number;
  tls?: boolean;
};

/** One form of `REDIS_URL`. */
export interface RedisUrlForm<Target> {
  /** Shows the form to an operator. */
  example: string;
  /**
   * What a URL of this form names; undefined for a URL of another form.
   * @throws {SettingProblem} for a part that cannot be used
   */
  read: (text: string) => Target | undefined;
}

const hostUrl =
  /^redis(s?):\/\/(?:([^:/?#@]*):([^/?#@]+)@)?([\w.-]+|\[[\dA-Fa-f:.]+\])(?::([1-9]\d*))?(?:\/(\d{0,4}))?$/;
const socketUrl = /^unix:\/\/(\/[\w./-]{1,106})$/;

/** The plain URL of one Redis. Any other is refused, as `new URL()` would silently drop parts of it. */
export const plainRedisUrl: RedisUrlForm<SingleRedis> = {
  example: 'redis://user:password@localhost:6379/0 (percent-encoded; rediss for TLS), unix:///run/redis.sock',
  read(text) {
    const [, socketPath] = socketUrl.exec(text) ?? [];
    if (socketPath !== undefined) return { kind: 'single', address: { socketPath } };
    const [, tls, username = '', password = '', host, port = '6379', database = '0'] = hostUrl.exec(text) ?? [];
    const isPlain = !/[\s\p{C}]/u.test(text) && isDecodable(text);
    if (host === undefined || !isPlain || !parseUrl(`redis://${host}:${port}`)) return undefined;
    return {
      kind: 'single',
      address: { host: host.replace(/^\[|\]$/g, ''), port: Number(port) },
      credentials: {
        ...(username && { username: decodeURIComponent(username) }),
        ...(password && { password: decodeURIComponent(password) }),
      },
      database: Number(database),
      tls: tls === 's',
    };
  },
};
