import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findRedis } from '../../src/dev/private-redis.ts';
import { freePort } from '../redis.ts';
import { accepts } from '../servers.ts';

/**
 * A Redis that can be killed and started again.
 * @param isDurable whether it writes each command to disk before it answers; otherwise it keeps nothing
 */
export async function startStageRedis({ isDurable }: { isDurable: boolean }) {
  const directory = mkdtempSync(join(tmpdir(), 'latchkey-bench-redis-'));
  const port = await freePort();
  const persistence = ['--save', '', '--appendonly', isDurable ? 'yes' : 'no', '--appendfsync', 'always'];
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, ...persistence];
  let server: ChildProcess | undefined;

  async function start(): Promise<void> {
    server = spawn(findRedis(), args, { stdio: 'ignore' });
    while (!(await accepts(port))) {
      if (server.exitCode !== null) throw new Error(`Redis ended with code ${server.exitCode}`);
      await sleep(20);
    }
  }

  async function kill(): Promise<void> {
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    server.kill('SIGKILL');
    await once(server, 'exit');
  }

  async function stop(): Promise<void> {
    await kill();
    rmSync(directory, { recursive: true, force: true });
  }

  await start();
  return { url: `redis://127.0.0.1:${port}`, start, kill, stop };
}
