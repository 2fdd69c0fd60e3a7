import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import { json } from 'node:stream/consumers';
import { connect } from 'node:tls';
import type { Config } from '../../config.ts';
import type { Core } from '../../core.ts';
import type { Finding } from '../../shared/operations.ts';
import type {} from '../../shared/trusted-cas.ts';
import { openProbe, type Seen, seenShape } from './probe.ts';

const timeoutMs = 5000;
const minCertificateDays = 14;
const dayMs = 86_400_000;

/** The site as a browser would reach it: its certificate, and what the proxy makes of a request and its answer. */
export async function checkSite({ config, redis, ca }: Pick<Core, 'config' | 'redis' | 'ca'>): Promise<Finding[]> {
  const { origin } = config;
  if (origin === undefined) return [{ what: 'site', detail: 'not checked: BASE_URL is not set' }];
  const reached = await reach(origin + (await openProbe(redis)), ca);
  if ('problem' in reached) return [{ what: 'site', detail: origin, problem: reached.problem }];
  const { status, headers, seen } = reached;
  const certificate = config.https ? [await checkCertificate(new URL(origin), ca)] : [];
  if (!seen) {
    const problem = `it answered ${status}, and not as this app does: point BASE_URL at the app that uses this Redis`;
    return [...certificate, { what: 'site', detail: origin, problem }];
  }
  return [
    ...certificate,
    ...checkProxy(config, seen),
    checkHeaders(config, headers),
    await checkHealthPaths(config, origin, ca),
  ];
}

type Reached = { status: number; headers: NodeJS.Dict<string[]>; seen: Seen | undefined };

// Not with fetch(), which trusts no CA but Node's own.
async function reach(url: string, ca: Core['ca']): Promise<Reached | { problem: string }> {
  try {
    return await new Promise<Reached>((done, fail) => {
      const options = { agent: false, signal: AbortSignal.timeout(timeoutMs), ...(ca && { ca }) };
      const request = url.startsWith('https:') ? requestHttps(url, options) : requestHttp(url, options);
      request.on('error', fail).end();
      request.once('response', async (response) => {
        const { statusCode: status = 0, headersDistinct: headers } = response;
        const answer: unknown = status === 200 ? await json(response).catch(() => undefined) : undefined;
        request.destroy();
        done({ status, headers, seen: seenShape.safeParse(answer).data });
      });
    });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return {
      problem: `it can't be reached from here (${code || message}): check DNS, the proxy, its port and its certificate`,
    };
  }
}

function checkProxy({ https, trustProxy }: Config, { secure, ip, peer, host, forwarded }: Seen): Finding[] {
  const scheme = forwarded['x-forwarded-proto'];
  const insecure = trustProxy
    ? `the app does not see the request as https (X-Forwarded-Proto: ${scheme ?? 'not sent'}): configure the proxy to send X-Forwarded-Proto: https, and name it in TRUST_PROXY`
    : 'the app does not see the request as https: name the proxy in TRUST_PROXY';
  // A proxy on this machine rightly passes on its own address as that of this command.
  const passedOn = forwarded['x-forwarded-for']?.split(',').at(-1)?.trim();
  const isUnknown = trustProxy !== false && ip === peer && passedOn !== ip;
  return [
    { what: 'scheme', detail: secure ? 'https' : 'http', problem: https && !secure ? insecure : undefined },
    {
      what: 'client address',
      detail: `the app sees this machine as ${ip}; compare that with its own address`,
      problem: !isUnknown
        ? undefined
        : passedOn === undefined
          ? 'that is the proxy: configure it to send X-Forwarded-For, and name only that proxy in TRUST_PROXY'
          : 'that is the proxy, whose X-Forwarded-For is not believed: name its address in TRUST_PROXY',
    },
    { what: 'host', detail: host },
  ];
}

function checkHeaders({ https }: Config, headers: Reached['headers']): Finding {
  const expected = [
    'content-security-policy',
    'x-content-type-options',
    ...(https ? ['strict-transport-security'] : []),
  ];
  const missing = expected.filter((name) => headers[name] === undefined);
  const doubled = expected.filter(
    (name) => headers[name]?.join(', ').includes(', ') && name !== 'content-security-policy',
  );
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

async function checkHealthPaths({ trustProxy }: Config, origin: string, ca: Core['ca']): Promise<Finding> {
  const what = 'health paths';
  if (!trustProxy) return { what, detail: 'not checked: TRUST_PROXY names no proxy that could block them' };
  const reached = await reach(`${origin}/readyz`, ca);
  const isOpen = 'status' in reached && [200, 503].includes(reached.status);
  return {
    what,
    problem: isOpen ? 'visitors can read /readyz: block /livez and /readyz at the proxy' : undefined,
  };
}

function checkCertificate({ hostname, port }: URL, ca: Core['ca']): Promise<Finding> {
  const what = 'certificate';
  const host = hostname.replace(/^\[|\]$/g, '');
  // RFC 6066, 3: an address is no server name.
  const servername = isIP(host) ? {} : { servername: host };
  return new Promise((done) => {
    const socket = connect({ host, port: Number(port) || 443, timeout: timeoutMs, ...servername, ...(ca && { ca }) });
    const fail = (error: Error) => {
      socket.destroy();
      done({ what, problem: `${error.message}: renew it, or install the complete chain` });
    };
    socket.once('error', fail);
    socket.once('timeout', () => fail(new Error('no answer')));
    socket.once('secureConnect', () => {
      const until = new Date(socket.getPeerCertificate().valid_to);
      const version = socket.getProtocol() ?? 'TLS';
      const days = Math.floor((until.valueOf() - Date.now()) / dayMs);
      socket.destroy();
      const problem =
        days < minCertificateDays
          ? 'it expires soon: renew it, and find out why it was not renewed automatically'
          : undefined;
      done({ what, detail: `${version}, valid for ${days} more days`, problem });
    });
  });
}
