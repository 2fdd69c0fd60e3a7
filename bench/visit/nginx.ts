import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findOnPath } from '../../src/dev/private-redis.ts';
import { type Certificate, certificateFor } from '../../test/support/certificate.ts';
import { writeNginxFiles } from '../../test/support/nginx-files.ts';
import { freePort } from '../redis.ts';
import { accepts } from '../servers.ts';

/** The host of the shipped file. */
export const host = 'login.example.com';

type Nginx = { port: number; stop: () => Promise<void> };

export const certificate: Certificate = certificateFor(host);

/** nginx with the shipped file, in front of one server. */
export async function startNginx(upstream: string): Promise<Nginx> {
  const directory = mkdtempSync(join(tmpdir(), 'latchkey-bench-nginx-'));
  const files = { certificate: join(directory, 'example.pem'), key: join(directory, 'example.key') };
  writeFileSync(files.certificate, certificate.cert);
  writeFileSync(files.key, certificate.key);
  const [port, redirectPort] = [await freePort(), await freePort()];
  const replace = (text: string) => text.replaceAll(/127\.0\.0\.1:300[12]/g, new URL(upstream).host);
  const shipped = fileURLToPath(new URL('../../deploy/nginx', import.meta.url));
  const args = writeNginxFiles({ directory, shipped, port, redirectPort, replace, ...files });
  const nginx = spawn(findOnPath(['nginx']) ?? '/usr/sbin/nginx', args, { stdio: 'inherit' });
  for (let attempt = 0; !(await accepts(port)); attempt += 1) {
    if (attempt === 200 || nginx.exitCode !== null) throw new Error('nginx did not start');
    await sleep(25);
  }
  return {
    port,
    async stop() {
      nginx.kill('SIGTERM');
      if (nginx.exitCode === null) await once(nginx, 'exit');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
