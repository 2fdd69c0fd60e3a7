import { describe, expect, test } from 'vitest';
import { connectUrl } from '../support/app.ts';
import { password } from '../support/redis-password.ts';
import { type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { sentinelUrl, startSentinel } from './watched.ts';

const name = 'watched';

/** Two servers that say which of them answers. */
async function startServers(): Promise<Record<'before' | 'after', RedisServer>> {
  const [before, after] = [await startRedisServer(password), await startRedisServer(password)];
  await before.client((client) => client.set('where', 'before'));
  await after.client((client) => client.set('where', 'after'));
  return { before, after };
}

describe('Sentinels that count their failovers from 0 again', () => {
  test('were set up anew, and are followed', async () => {
    const { before, after } = await startServers();
    const sentinel = await startSentinel(before.port, name, 7);
    const redis = await connectUrl(sentinelUrl([sentinel], name));
    expect(await redis.get('where')).toBe('before');
    await sentinel.client(async (client) => {
      await client.sendCommand(['SENTINEL', 'REMOVE', name]);
      await client.sendCommand(['SENTINEL', 'MONITOR', name, '127.0.0.1', String(after.port), '2']);
    });
    await expect.poll(() => redis.get('where'), { timeout: 20_000 }).toBe('after');
    redis.destroy();
  });

  test('are not followed while another one does not answer: they may have been cut off', async () => {
    const { before, after } = await startServers();
    const [ahead, behind] = [await startSentinel(before.port, name, 7), await startSentinel(after.port, name, 0)];
    const redis = await connectUrl(sentinelUrl([ahead, behind], name));
    expect(await redis.get('where')).toBe('before');
    await ahead.kill();
    await behind.client(async (client) => {
      const commands = async () => Number(/total_commands_processed:(\d+)/.exec(await client.info('stats'))?.[1]);
      let own = await commands();
      const askedByTheApp = async () => {
        expect(await redis.get('where')).toBe('before');
        own += 1;
        return (await commands()) - own;
      };
      // Two commands find out which primary it knows.
      await expect.poll(askedByTheApp, { timeout: 20_000, interval: 50 }).toBeGreaterThan(8);
    });
    expect(await redis.get('where')).toBe('before');
    redis.destroy();
  });
});
