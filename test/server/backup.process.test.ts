import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { findRedis } from '../../src/dev/private-redis.ts';
import { cliSecret, latchkeyOn } from '../cli/run-latchkey.ts';
import { startApp } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { compose, operator } from '../support/docker.ts';
import { sectionOf } from '../support/documents.ts';
import { newDirectory, systemEnvironment } from '../support/process.ts';
import { type RedisServer, startRedisServer } from '../support/redis-server.ts';
import type { Visitor } from '../support/visitor.ts';

// The commands are those of the document: each block of the section in its order.
const blocks = [...sectionOf('docs/running.md', 'Backup and restore').matchAll(/^```sh\n([^`]+)^```/gm)].map(
  ([, lines = '']) => lines.trim().split('\n'),
);
const [plainBackup = [], composeBackup = [], plainRestore = [], composeRestore = [], composeEnd = []] = blocks;

const password = operator.REDIS_PASSWORD;
const redisArguments = [
  ...compose(operator).services.redis.command.slice(1),
  // A backup is a replica's first copy, for which Redis waits 5 s, in case others want one too.
  ...['--repl-diskless-sync-delay', '0'],
  // Or a kill could lose what was written within the last second.
  ...['--appendfsync', 'always'],
];

async function run(redis: RedisServer, cwd: string, command: string, env: Record<string, string> = {}): Promise<void> {
  const programs = newDirectory('programs-');
  const cli = join(programs, 'redis-cli');
  writeFileSync(cli, `#!/bin/sh\nexec ${findRedis().replace(/server$/, 'cli')} -p ${redis.port} "$@"\n`);
  chmodSync(cli, 0o755);
  const system = systemEnvironment();
  const PATH = `${programs}:${system.PATH}`;
  await promisify(execFile)('bash', ['-ec', command], {
    cwd,
    env: { ...system, ...env, PATH, REDISCLI_AUTH: password },
    timeout: 10_000,
  });
}

/** What Compose would run in the container, with its volume at this directory. */
function inContainer(command: string, volume: string): string {
  const inside = command.replace(/^docker compose (exec|run --rm) -T (--no-deps )?redis /, '');
  if (inside === command) throw new Error(`not a command for the container of Redis: ${command}`);
  return inside.replaceAll('/data', volume);
}

type Way = {
  backUp: (redis: RedisServer, directory: string) => Promise<void>;
  restore: (redis: RedisServer, backup: string, data: string) => Promise<void>;
};

const ways: [string, Way][] = [
  [
    'a Redis of your own',
    {
      backUp: (redis, directory) => run(redis, directory, plainBackup.join('\n')),
      restore: (redis, backup, data) => run(redis, data, plainRestore.join('\n'), { BACKUP: backup }),
    },
  ],
  [
    "Compose's volume",
    {
      backUp: async (redis, directory) => {
        for (const command of composeBackup) await run(redis, directory, inContainer(command, directory));
      },
      restore: async (redis, backup, data) => {
        const [stop, restore = '', start] = composeRestore;
        expect([stop, start]).toEqual(['docker compose stop app redis', 'docker compose up -d redis']);
        writeFileSync(join(data, 'dump.rdb'), 'of an earlier time');
        await run(redis, dirname(backup), inContainer(restore, data));
        expect(readdirSync(data)).toEqual(['appendonlydir']);
      },
    },
  ],
];

/** Waits while the app says that Redis is too slow. */
const answersAdmin = (visitor: Visitor) =>
  expect.poll(async () => (await visitor.get('/admin')).status, { timeout: 8000, interval: 100 });
const startOn = (redis: RedisServer) => startApp({ redisAddress: { url: redis.url }, secrets: [cliSecret] });

test.each(ways)(
  'a backup is taken while Redis is in use, and restored with an append-only file: %s',
  async (_what, { backUp, restore }) => {
    const redis = await startRedisServer(password, redisArguments);
    const { url } = await startOn(redis);
    const [ann, bob] = [await signedIn(url), await signedIn(url, 'bob@example.com')];
    const backups = newDirectory('backup-');
    const signIns = Array.from({ length: 20 }, (_, count) => signedIn(url, `person-${count}@example.com`));
    await backUp(redis, backups);
    await Promise.all(signIns);
    const bobBefore = bob.copy();
    await bob.post('/logout');
    await redis.kill();

    const data = newDirectory('restored-');
    await restore(redis, join(backups, 'latchkey.rdb'), data);
    const restored = await startRedisServer(password, [...redisArguments, '--dir', data]);
    const app = await startOn(restored);
    await answersAdmin(ann.copy(app.url)).toBe(200);
    // He has logged out since: this is what the document warns of.
    await answersAdmin(bobBefore.copy(app.url)).toBe(200);
    const late = await signedIn(app.url, 'late@example.com');

    await restored.kill();
    await restored.start();
    const again = await startOn(restored);
    await answersAdmin(ann.copy(again.url)).toBe(200);
    await answersAdmin(late.copy(again.url)).toBe(200);
    // feature: incidents
    const [endEveryone = ''] = composeEnd;
    const words = endEveryone.replace('docker compose run --rm app latchkey ', '').split(' ');
    await latchkeyOn(restored.url)(...words);
    await answersAdmin(ann.copy(again.url)).toBe(401);
    await answersAdmin(bobBefore.copy(again.url)).toBe(401);
    await answersAdmin(await signedIn(again.url)).toBe(200);
    // end: incidents
  },
);

test('a dump that is merely put into the directory comes up empty, as the document says', async () => {
  const redis = await startRedisServer(password, redisArguments);
  await redis.client((client) => client.set('kept', '1'));
  const backups = newDirectory('backup-');
  await run(redis, backups, plainBackup.join('\n'));
  const data = newDirectory('restored-');
  copyFileSync(join(backups, 'latchkey.rdb'), join(data, 'dump.rdb'));
  const restored = await startRedisServer(password, [...redisArguments, '--dir', data]);
  expect(await restored.client((client) => client.dbSize())).toBe(0);
});
