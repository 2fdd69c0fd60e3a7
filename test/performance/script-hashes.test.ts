import { beforeEach, expect, test } from 'vitest';
import { tuneRedis } from '../../src/features/performance/performance.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import { connectNode } from '../support/app.ts';
import { monitored } from '../support/commands.ts';
import { testRedis } from '../support/test-redis.ts';

const redisAddress = await testRedis();
const admin = await connectNode(redisAddress);
const script = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
let client: RedisClient;

beforeEach(async () => {
  await admin.flushAll();
  await admin.scriptFlush();
  const node = await connectNode(redisAddress);
  client = Object.assign(node, { nodes: async () => [node] });
  tuneRedis(client);
});

function add(number: string, text = script): Promise<unknown> {
  return client.eval(text, { keys: ['sum'], arguments: [number] });
}

/** The commands that call scripts, in their order. */
async function callsDuring(work: () => Promise<unknown>): Promise<string[]> {
  const lines = await monitored(admin, work);
  return lines.flatMap((line) => /\] "(eval\w*)"/i.exec(line)?.[1]?.toUpperCase() ?? []);
}

test('a script is sent once, and called by its hash from then on', async () => {
  const replies: unknown[] = [];
  const calls = await callsDuring(async () => {
    for (const number of ['1', '2', '3']) replies.push(await add(number));
    replies.push(await add('4', `${script} + 100`));
  });
  expect(replies).toEqual([1, 3, 6, 110]);
  expect(calls).toEqual(['EVAL', 'EVALSHA', 'EVALSHA', 'EVAL']);
});

test('a script that Redis has lost is sent again, and runs once', async () => {
  await add('1');
  await admin.scriptFlush();
  const calls = await callsDuring(async () => expect(await Promise.all([add('2'), add('4')])).toContain(7));
  expect(calls.sort()).toEqual(['EVAL', 'EVAL', 'EVALSHA', 'EVALSHA']);
  expect(await callsDuring(() => add('8'))).toEqual(['EVALSHA']);
  expect(await admin.get('sum')).toBe('15');
});

test('a script that fails is not called again', async () => {
  await add('1');
  const calls = await callsDuring(() => expect(add('many')).rejects.toThrow('not an integer'));
  expect(calls).toEqual(['EVALSHA']);
});

test('a script counts as sent once Redis has run it', async () => {
  const calls = await callsDuring(async () => {
    for (let time = 1; time <= 2; time += 1) await expect(add('1', 'return (')).rejects.toThrow('compiling script');
    await Promise.all([add('1'), add('2')]);
  });
  expect(calls).toEqual(['EVAL', 'EVAL', 'EVAL', 'EVAL']);
});
