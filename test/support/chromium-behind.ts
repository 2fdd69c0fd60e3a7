import type { ChromiumOptions } from './browser.ts';
import type { RunningProxy } from './proxies.ts';

/** What Chromium needs to find the hosts of a proxy, and to trust it. */
export function chromiumBehind({ port, certificate, hosts }: RunningProxy): ChromiumOptions {
  const resolves = Object.fromEntries(hosts.map((host) => [host, `127.0.0.1:${port}`]));
  return { trusts: certificate, resolves };
}
