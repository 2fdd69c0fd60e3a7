import { type RunningNginx, startNginx } from '../nginx.ts';

/** The host of the shipped file. */
export const host = 'login.example.com';

/** nginx with the shipped file, in front of one server. */
export function startNginxBefore(upstream: string): Promise<RunningNginx> {
  const replace = (text: string) => text.replaceAll(/127\.0\.0\.1:300[12]/g, new URL(upstream).host);
  return startNginx({ shipped: 'nginx', host, replace });
}
