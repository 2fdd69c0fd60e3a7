import { connect } from 'node:tls';
import type { Config } from '../../config.ts';
import type { RedisClient } from '../../redis/client.ts';
import type { Finding } from '../../shared/operations.ts';
import { openProbe, type Seen, seenShape } from './probe.ts';

const timeoutMs = 5000;
const minCertificateDays = 14;
const dayMs = 86_400_000;

/** The site as a browser would reach it: its certificate, and what the proxy makes of a request and its answer. */
export async function checkSite(config: Config, redis: RedisClient): Promise<Finding[]> {
  const { origin } = config;
  if (origin === undefined) return [{ what: 'site', detail: 'not asked for: BASE_URL is not set' }];
  const reached = await reach(origin + (await openProbe(redis)));
  if ('problem' in reached) return [{ what: 'site', detail: origin, problem: reached.problem }];
  const { response, seen } = reached;
  const certificate = config.https ? [await checkCertificate(new URL(origin))] : [];
  if (!seen) {
    const problem = `it answered ${response.status}, and not as this app does: point BASE_URL at the app that uses this Redis`;
    return [...certificate, { what: 'site', detail: origin, problem }];
  }
  return [
    ...certificate,
    ...checkProxy(config, seen),
    checkHeaders(config, response.headers),
    await checkHealthPaths(origin),
  ];
}

async function reach(url: string): Promise<{ response: Response; seen: Seen | undefined } | { problem: string }> {
  try {
    const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) });
    const answer: unknown = response.status === 200 ? await response.json().catch(() => undefined) : undefined;
    return { response, seen: seenShape.safeParse(answer).data };
  } catch (error) {
    const { message, cause } = error as Error;
    const { code = '', message: reason = message } = (cause ?? {}) as NodeJS.ErrnoException;
    return {
      problem: `it can't be reached from here (${code || reason}): check DNS, the proxy, its port and its certificate`,
    };
  }
}

function checkProxy({ https, trustProxy }: Config, { secure, ip, peer, host, forwarded }: Seen): Finding[] {
  const scheme = forwarded['x-forwarded-proto'];
  const insecure = trustProxy
    ? `the app does not see the request as https (X-Forwarded-Proto: ${scheme ?? 'not sent'}): configure the proxy to send X-Forwarded-Proto: https, and name it in TRUST_PROXY`
    : 'the app does not see the request as https: name the proxy in TRUST_PROXY';
  const isProxysOwn = trustProxy !== false && ip === peer;
  return [
    { what: 'scheme', detail: secure ? 'https' : 'http', problem: https && !secure ? insecure : undefined },
    {
      what: 'client address',
      detail: `the app sees this machine as ${ip}; compare that with its own address`,
      problem: isProxysOwn
        ? 'that is the proxy: configure it to send X-Forwarded-For, and name only that proxy in TRUST_PROXY'
        : undefined,
    },
    { what: 'host', detail: host },
  ];
}

function checkHeaders({ https }: Config, headers: Headers): Finding {
  const expected = [
    'content-security-policy',
    'x-content-type-options',
    ...(https ? ['strict-transport-security'] : []),
  ];
  const missing = expected.filter((name) => !headers.has(name));
  const doubled = expected.filter((name) => headers.get(name)?.includes(', ') && name !== 'content-security-policy');
  const problems = [
    ...missing.map((name) => `${name} is missing from the response: configure the proxy to pass it on`),
    ...doubled.map((name) => `${name} is there twice: configure the proxy not to add its own`),
  ];
  return {
    what: 'security headers',
    detail: `${expected.length - missing.length} of ${expected.length}`,
    problem: problems.join('; ') || undefined,
  };
}

async function checkHealthPaths(origin: string): Promise<Finding> {
  const reached = await reach(`${origin}/readyz`);
  const isOpen = 'response' in reached && [200, 503].includes(reached.response.status);
  return {
    what: 'health paths',
    problem: isOpen ? 'visitors can read /readyz: block /livez and /readyz at the proxy' : undefined,
  };
}

function checkCertificate({ hostname, port }: URL): Promise<Finding> {
  const what = 'certificate';
  return new Promise((done) => {
    const socket = connect({ host: hostname, port: Number(port) || 443, servername: hostname, timeout: timeoutMs });
    const fail = (error: Error) => {
      socket.destroy();
      done({ what, problem: `${error.message}: renew it, or install the complete chain` });
    };
    socket.once('error', fail);
    socket.once('timeout', () => fail(new Error('no answer')));
    socket.once('secureConnect', () => {
      const until = new Date(socket.getPeerCertificate().valid_to);
      const days = Math.floor((until.valueOf() - Date.now()) / dayMs);
      socket.destroy();
      const problem =
        days < minCertificateDays
          ? 'it expires soon: renew it, and find out why it was not renewed automatically'
          : undefined;
      done({ what, detail: `${socket.getProtocol() ?? 'TLS'}, valid for ${days} more days`, problem });
    });
  });
}
