import { isDecodable } from '../http/url.ts';

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
