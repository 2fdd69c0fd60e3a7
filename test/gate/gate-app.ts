import request from 'supertest';
import { startApp, type TestApp, type TestAppOptions } from '../support/app.ts';
import { keepOutOfLogs } from '../support/secrets.ts';

export const login = 'https://login.example.com';
/** Everybody who may sign in may enter. */
export const wiki = 'https://wiki.example.net';
/** Two of them may. */
export const reports = 'https://reports.example.org:8443';

/** The app with two sites. Tests talk to it as its proxy does. */
export function startGateApp(options: TestAppOptions = {}): Promise<TestApp> {
  const sites = `${wiki}, ${reports} = ann@example.com @ops.example.com`;
  const env = { BASE_URL: login, TRUST_PROXY: 'loopback', GATE_SITES: sites, SIGN_IN: 'trust', ...options.env };
  return startApp({ ...options, env });
}

type Headers = Record<string, string>;

/** What a browser sends along when a person opens a page, and when a script asks for something. */
export const navigation = { 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document', Accept: 'text/html' };
export const script = { 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty', Accept: '*/*' };

/** How each kind of proxy asks whether a request may pass. */
const proxies = {
  nginx: (origin: string, path: string) => ({
    path: '/gate/nginx',
    headers: { 'X-Original-URL': origin + path, 'X-Original-Method': 'GET' },
  }),
  forward: (origin: string, path: string) => ({
    path: '/gate/forward',
    headers: { ...forwarded(origin), 'X-Forwarded-Uri': path, 'X-Forwarded-Method': 'GET' },
  }),
  envoy: (origin: string, path: string) => ({
    path: `/gate/envoy${path}`,
    headers: { Host: new URL(origin).host, 'X-Forwarded-Proto': 'https', 'Sec-Latchkey-Check': 'envoy' },
  }),
};

export type ProxyName = keyof typeof proxies;
export const proxyNames = Object.keys(proxies) as ProxyName[];

function forwarded(origin: string): Headers {
  const { protocol, host } = new URL(origin);
  return { 'X-Forwarded-Proto': protocol.slice(0, -1), 'X-Forwarded-Host': host };
}

export type Answer = {
  status: number;
  headers: Headers;
  location: string | undefined;
  text: string;
  setCookies: string[];
};

export type Sent = {
  method: 'GET' | 'POST';
  origin: string;
  path: string;
  headers: Headers;
  form?: Headers | undefined;
};

/** A browser, whose requests to each origin come through that origin's proxy. */
export class GateBrowser {
  /** For each origin, names and values. */
  readonly #jars = new Map<string, Map<string, string>>();
  readonly #url: string;

  /** @param url where Latchkey listens */
  constructor({ url }: { url: string }) {
    this.#url = url;
  }

  cookies(origin: string): Map<string, string> {
    const jar = this.#jars.get(origin) ?? new Map<string, string>();
    this.#jars.set(origin, jar);
    return jar;
  }

  /** One request to Latchkey itself: on the login site, or under `/.latchkey/` of another. */
  visit(url: string, headers: Headers = navigation): Promise<Answer> {
    const { origin } = new URL(url);
    return this.#ask({
      method: 'GET',
      origin,
      path: url.slice(origin.length),
      headers: { ...forwarded(origin), ...headers },
    });
  }

  post(url: string, form: Headers = {}, headers: Headers = {}): Promise<Answer> {
    const { origin, pathname } = new URL(url);
    return this.#ask({ method: 'POST', origin, path: pathname, headers: { ...forwarded(origin), ...headers }, form });
  }

  /** Asks as a site's proxy does; a header that is empty is left out. */
  check(url: string, options: { proxy?: ProxyName; headers?: Headers } = {}): Promise<Answer> {
    const { origin } = new URL(url);
    const { path, headers } = proxies[options.proxy ?? 'nginx'](origin, url.slice(origin.length) || '/');
    return this.#ask({ method: 'GET', origin, path, headers: { ...headers, ...options.headers } });
  }

  /** Opens a page as a person does, and follows wherever that leads. @returns the last answer and the way to it */
  async open(url: string): Promise<Answer & { url: string; trail: string[] }> {
    const trail: string[] = [];
    let here = url;
    while (trail.length < 12) {
      trail.push(here);
      const { origin, pathname } = new URL(here);
      const isOurs = origin === login || pathname.startsWith('/.latchkey/');
      const answer = isOurs ? await this.visit(here) : await this.openInSite(here);
      if (answer.location === undefined) return { ...answer, url: here, trail };
      here = new URL(answer.location, here).href;
    }
    throw new Error(`a loop: ${trail.join('\n')}`);
  }

  /** Opens a page, signs in, and goes where that leads. */
  async openAs(email: string, url: string, form: Headers = {}) {
    const arrived = await this.open(url);
    const next = new URL(arrived.url).searchParams.get('next') ?? '';
    const answer = await this.post(`${login}/login`, { email, next, ...form });
    return this.open(new URL(answer.location ?? '', login).href);
  }

  protected openInSite(url: string): Promise<Answer> {
    return this.check(url, { headers: navigation });
  }

  protected async send({ method, path, headers, form }: Sent): Promise<Omit<Answer, 'location' | 'setCookies'>> {
    const asked = request(this.#url)[method === 'GET' ? 'get' : 'post'](path).redirects(0);
    for (const [name, value] of Object.entries(headers)) asked.set(name, value);
    return asked.ok(() => true).send(form && new URLSearchParams(form).toString());
  }

  async #ask(sent: Sent): Promise<Answer> {
    const jar = this.cookies(sent.origin);
    const cookie = [...jar].map((pair) => pair.join('=')).join('; ');
    const all = Object.entries({ Cookie: cookie, ...sent.headers }).filter(([, value]) => value !== '');
    const { status, headers, text } = await this.send({ ...sent, headers: Object.fromEntries(all) });
    const setCookies = [headers['set-cookie'] ?? []].flat();
    for (const line of setCookies) keep(jar, line);
    return { status, headers, text, location: headers.location, setCookies };
  }
}

function keep(jar: Map<string, string>, line: string): void {
  const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
  if (/expires=thu, 01 jan 1970/i.test(line)) jar.delete(name);
  else jar.set(name, value);
  if (value.length > 10) keepOutOfLogs(value, decodeURIComponent(value));
}
