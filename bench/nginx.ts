import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findOnPath } from '../src/dev/private-redis.ts';
import { type Certificate, certificateFor } from '../test/support/certificate.ts';
import { writeNginxFiles } from '../test/support/nginx-files.ts';
import { cpuSecondsOf } from './process.ts';
import { freePort } from './redis.ts';
import { accepts } from './servers.ts';

export type RunningNginx = {
  port: number;
  /** Of nginx and its worker, user and system; undefined where the system does not tell. */
  cpuMicroseconds: (() => Promise<number>) | undefined;
  certificate: Certificate;
  stop: () => Promise<void>;
};

/**
 * nginx with one worker and the shipped files.
 * @param options.shipped the directory below `deploy/`
 * @param options.host what its certificate is for
 * @param options.replace replaces addresses in the files
 */
export async function startNginx(options: {
  shipped: string;
  host: string;
  replace: (text: string) => string;
}): Promise<RunningNginx> {
  const { host, replace } = options;
  const directory = mkdtempSync(join(tmpdir(), 'latchkey-bench-nginx-'));
  const [certificate, key] = [join(directory, 'example.pem'), join(directory, 'example.key')];
  const pair = certificateFor(host);
  writeFileSync(certificate, pair.cert);
  writeFileSync(key, pair.key);
  const shipped = fileURLToPath(new URL(`../deploy/${options.shipped}`, import.meta.url));
  const [port, redirectPort] = [await freePort(), await freePort()];
  const place = { directory: join(directory, 'files'), port, redirectPort, certificate, key };
  const args = writeNginxFiles({ ...place, shipped, replace });
  const nginx = spawn(findOnPath(['nginx']) ?? '/usr/sbin/nginx', args, { stdio: 'inherit' });
  await listening(nginx, port);
  return {
    port,
    cpuMicroseconds: existsSync('/proc/self/schedstat') ? async () => cpuSecondsOf(Number(nginx.pid)) * 1e6 : undefined,
    certificate: pair,
    async stop() {
      nginx.kill('SIGTERM');
      if (nginx.exitCode === null) await once(nginx, 'exit');
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
