import { expect, test, vi } from 'vitest';
import { builtFile, startServer } from '../support/process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { production } from '../support/settings.ts';

test('in production, what the start left behind is collected soon after it', async () => {
  const redis = await startRedisServer('of-the-operator');
  const server = await startServer({
    command: [process.execPath, '--trace-gc', builtFile('server.js')],
    env: { ...production, REDIS_URL: redis.url, BASE_URL: 'http://localhost:3000' },
  });
  // "testing" is V8's name for a collection that a program asks for; Node 22 and later say what was asked.
  const asked = /: testing|\) testing|GC in old space requested/;
  await vi.waitFor(() => expect(server.printed()).toMatch(asked), { timeout: 20_000, interval: 50 });
});
