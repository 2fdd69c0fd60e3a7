import { expect, test } from 'vitest';
import { redisPermissions } from '../../src/config.ts';
import { aclRule } from '../../src/features/redis-checks/permissions.ts';
import { keyPrefix, keyPrefixEnv } from '../redis-checks/key-prefix.ts';
import { connectUrl } from '../support/app.ts';
import { contributed } from '../support/contributions.ts';
import { password } from '../support/redis-password.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { expectUnreachable } from '../support/redis-start.ts';
import { loneNode, takeAllSlots } from './lone-node.ts';

test('the documented permissions are enough, and each that a Cluster adds is missed at start', async () => {
  const node = await takeAllSlots(await startRedisServer(password, await loneNode()));
  const rule = aclRule(redisPermissions.cluster, keyPrefix);
  const urlWith = async (...rules: string[]) => {
    await node.client((admin) => admin.aclSetUser('ann', ['reset', 'on', '>secret', ...rules.join(' ').split(' ')]));
    return `redis+cluster://ann:secret@127.0.0.1:${node.port}`;
  };
  const redis = await connectUrl(await urlWith(rule), undefined, keyPrefixEnv);
  for (const { module } of await contributed('redis-uses')) await module.useRedis(redis);
  await redis.close();
  const denied = await node.client((admin) => admin.aclLog());
  expect(denied.map(({ object }) => object).filter((object) => !/^(info|config\|get)$/.test(object))).toEqual([]);

  await expect(connectUrl(await urlWith(rule, '-asking', '-ping'), undefined, keyPrefixEnv)).rejects.toMatchObject({
    problems: [expect.stringContaining('may not use asking, ping;')],
  });
  await expectUnreachable(await urlWith(rule, '-cluster|slots'), /cluster\|slots/);
});
