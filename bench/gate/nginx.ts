import { type RunningNginx, startNginx } from '../nginx.ts';

const host = 'wiki.example.net';

export type MeasuredProxy = {
  url: string;
  headers: Record<string, string>;
  cpuMicroseconds: RunningNginx['cpuMicroseconds'];
};

/** nginx with the gate's shipped files, and beside it without the gate. */
export async function startProxies(upstreams: { latchkey: string; app: string }): Promise<{
  guarded: MeasuredProxy;
  open: MeasuredProxy;
  stop: () => Promise<void>;
}> {
  const app = new URL(upstreams.app).host;
  const addresses = (text: string) =>
    text
      .replaceAll('127.0.0.1:3000', new URL(upstreams.latchkey).host)
      .replaceAll(/127\.0\.0\.1:800[12]/g, app)
      // The app is asked over kept connections too, so that only the gate makes a difference.
      .replace('upstream latchkey {', `upstream app { server ${app}; keepalive 32; }\nupstream latchkey {`)
      .replaceAll(`proxy_pass http://${app}`, 'proxy_pass http://app');
  const withoutGate = (text: string) =>
    addresses(text).replaceAll(
      'include latchkey-gate.conf;',
      'proxy_http_version 1.1; proxy_set_header Connection "";',
    );
  const running: RunningNginx[] = [];
  async function start(replace: (text: string) => string): Promise<MeasuredProxy> {
    const nginx = await startNginx({ shipped: 'gate/nginx', host, replace });
    running.push(nginx);
    const url = `https://127.0.0.1:${nginx.port}/page?x=1`;
    return { url, headers: { Host: host }, cpuMicroseconds: nginx.cpuMicroseconds };
  }
  return {
    guarded: await start(addresses),
    open: await start(withoutGate),
    async stop() {
      for (const { stop } of running) await stop();
    },
  };
}
