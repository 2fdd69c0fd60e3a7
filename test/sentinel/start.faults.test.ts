import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connectUrl } from '../support/app.ts';
import { freePort, newDirectory } from '../support/process.ts';
import { password } from '../support/redis-password.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { expectUnreachable } from '../support/redis-start.ts';

test('an ordinary Redis is none, and that stops the start', async () => {
  const { port } = await startRedisServer(password);
  const url = `redis+sentinel://:${password}@127.0.0.1:${port}/mymaster?sentinel_password=${password}`;
  await expectUnreachable(url, /^a Redis answers, and no Sentinel: write redis:\/\/ in REDIS_URL/);
});

test('redis:// to a Sentinel stops the start, with the form to write', async () => {
  const configFile = join(newDirectory('sentinel-'), 'sentinel.conf');
  writeFileSync(configFile, '');
  const { url } = await startRedisServer(password, ['--sentinel'], configFile);
  await expect(connectUrl(url)).rejects.toMatchObject({
    problems: [expect.stringMatching(/^REDIS_URL names a Sentinel; write redis\+sentinel:\/\//)],
  });
});

test('Sentinels that are not there stop the start, with the reason', async () => {
  await expectUnreachable(`redis+sentinel://127.0.0.1:${await freePort()}/mymaster`, /ECONNREFUSED/);
});
