import type { Request } from 'express';

/** How one kind of proxy asks the gate, and what it makes of the answer. */
export type ProxyKind = {
  /** Whether this proxy itself asks, and not a visitor whose request a proxy has passed on. */
  isAsking: (req: Request) => boolean;
  /** What the visitor asked for; of headers that were sent twice it makes no URL. */
  originalUrl: (req: Request) => string;
  method: (req: Request) => string;
  /** The answer to a request that may pass. */
  passStatus: 200 | 204;
  /** The answer to a page load that needs a login first. */
  redirectStatus: 303 | 401;
  /** Whether it takes over a Cookie header without the gate's cookies: most of these proxies can't edit the header. */
  replacesCookies: boolean;
};

/** `auth_request` makes an internal error of a redirect. A 401 it passes to its own configuration, `Location` and all. */
const nginx: ProxyKind = {
  isAsking: hasOwnPath,
  originalUrl: (req) => header(req, 'x-original-url'),
  method: (req) => header(req, 'x-original-method'),
  passStatus: 204,
  redirectStatus: 401,
  replacesCookies: false,
};

/** Caddy's `forward_auth`, Traefik's `ForwardAuth` and our script for HAProxy pass the answer on as it is. */
const forward: ProxyKind = {
  isAsking: hasOwnPath,
  originalUrl: (req) => join(req, header(req, 'x-forwarded-host'), header(req, 'x-forwarded-uri')),
  method: (req) => header(req, 'x-forwarded-method'),
  passStatus: 204,
  redirectStatus: 303,
  replacesCookies: true,
};

const envoyPrefix = '/gate/envoy';

/**
 * Envoy's `ext_authz` asks with the visitor's own method, host and path, behind a prefix. Its only yes is 200. A visitor
 * of a site can write such a path as well, and another proxy may take `/gate/envoy/..%2f..%2f.latchkey/` for one of
 * Latchkey's pages, and pass it on as it is. So a check needs a header that our `envoy.yaml` adds and all other files
 * remove. Its name begins with `Sec-`: browsers let no script set it (https://fetch.spec.whatwg.org/#forbidden-request-header).
 */
const envoy: ProxyKind = {
  isAsking: (req) => header(req, 'sec-latchkey-check') === 'envoy',
  originalUrl: (req) => join(req, header(req, 'host'), req.url.slice(envoyPrefix.length)),
  method: (req) => req.method,
  passStatus: 200,
  redirectStatus: 303,
  replacesCookies: true,
};

// Nothing in its one path can be read in two ways, so no proxy takes it for a page that visitors may ask for.
function hasOwnPath(): boolean {
  return true;
}

/** The kind of proxy that asks at this URL; undefined when it is no check. Caddy adds the query of the visitor's URL. */
export function proxyKindOf(url: string): ProxyKind | undefined {
  const isAt = (path: string) => url.startsWith(path) && (url.length === path.length || url[path.length] === '?');
  if (isAt('/gate/nginx')) return nginx;
  if (isAt('/gate/forward')) return forward;
  return url.startsWith(`${envoyPrefix}/`) ? envoy : undefined;
}

// Each part has to be what it says it is: a host that ends in a path would move the border between them.
function join(req: Request, host: string, path: string): string {
  return host.includes('/') || !path.startsWith('/') ? '' : `${header(req, 'x-forwarded-proto')}://${host}${path}`;
}

function header(req: Request, name: string): string {
  return String(req.headers[name] ?? '');
}
