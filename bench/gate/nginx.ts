import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findOnPath } from '../../src/dev/private-redis.ts';
import { certificateFor } from '../../test/support/certificate.ts';
import { writeNginxFiles } from '../../test/support/nginx-files.ts';
import { freePort } from '../redis.ts';
import { accepts } from '../servers.ts';

export type MeasuredProxy = {
  url: string;
  headers: Record<string, string>;
  /** Of the worker, user and system; undefined where the system does not tell. */
  cpuMicroseconds: (() => Promise<number>) | undefined;
};

/** nginx with the shipped files, and beside it without the gate. */
export async function startNginx(upstreams: { latchkey: string; app: string }): Promise<{
  guarded: MeasuredProxy;
  open: MeasuredProxy;
  stop: () => Promise<void>;
}> {
  const directory = mkdtempSync(join(tmpdir(), 'latchkey-bench-nginx-'));
  const [certificate, key] = [join(directory, 'example.pem'), join(directory, 'example.key')];
  const pair = certificateFor('wiki.example.net');
  writeFileSync(certificate, pair.cert);
  writeFileSync(key, pair.key);
  const place = { shipped: fileURLToPath(new URL('../../deploy/gate/nginx', import.meta.url)), certificate, key };
  const app = new URL(upstreams.app).host;
  const addresses = (text: string) =>
    text
      .replaceAll('127.0.0.1:3000', new URL(upstreams.latchkey).host)
      .replaceAll(/127\.0\.0\.1:800[12]/g, app)
      // The app, too, is asked over connections that are kept: the gate alone is to make the difference.
      .replace('upstream latchkey {', `upstream app { server ${app}; keepalive 32; }\nupstream latchkey {`)
      .replaceAll(`proxy_pass http://${app}`, 'proxy_pass http://app');
  const withoutGate = (text: string) =>
    addresses(text).replaceAll(
      'include latchkey-gate.conf;',
      'proxy_http_version 1.1; proxy_set_header Connection "";',
    );
  const running: ChildProcess[] = [];
  async function start(name: string, replace: (text: string) => string): Promise<MeasuredProxy> {
    const [port, redirectPort] = [await freePort(), await freePort()];
    const args = writeNginxFiles({ directory: join(directory, name), port, redirectPort, replace, ...place });
    const nginx = spawn(findOnPath(['nginx']) ?? '/usr/sbin/nginx', args, { stdio: 'inherit' });
    running.push(nginx);
    await listening(nginx, port);
    const headers = { Host: 'wiki.example.net' };
    return { url: `https://127.0.0.1:${port}/page?x=1`, headers, cpuMicroseconds: cpuOf(Number(nginx.pid)) };
  }
  return {
    guarded: await start('guarded', addresses),
    open: await start('open', withoutGate),
    async stop() {
      for (const nginx of running) {
        nginx.kill('SIGTERM');
        if (nginx.exitCode === null) await once(nginx, 'exit');
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function listening(nginx: ChildProcess, port: number): Promise<void> {
  for (let attempt = 0; attempt < 200 && nginx.exitCode === null; attempt += 1) {
    if (await accepts(port)) return;
    await sleep(25);
  }
  throw new Error('nginx did not start');
}

// Linux counts in ticks of 10 ms.
function cpuOf(pid: number): MeasuredProxy['cpuMicroseconds'] {
  if (!existsSync('/proc/self/stat')) return undefined;
  const ticksPerSecond = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout) || 100;
  return async () => {
    const worker = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0];
    const [, fields = ''] = readFileSync(`/proc/${worker}/stat`, 'utf8').split(') ');
    const [user, system] = fields.split(' ').slice(11, 13).map(Number);
    return (((user ?? 0) + (system ?? 0)) / ticksPerSecond) * 1e6;
  };
}
