import { expect, test } from 'vitest';
import { Accounts } from '../../src/features/passkeys/accounts.ts';
import { UndoLinks } from '../../src/features/passkeys/undo-links.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { latchkeyOn } from '../cli/run-latchkey.ts';
import { address } from '../support/address.ts';
import { connectNode, connectUrl, testRedis } from '../support/app.ts';
import { newPasskey } from './redis-uses.ts';

test('passkeys and the links about them are exported and forgotten', async () => {
  const redisAddress = await testRedis();
  const url = `unix://${redisAddress.socketPath}`;
  const [client, node] = [await connectUrl(url), await connectNode(redisAddress)];
  const accounts = new Accounts(client);
  for (const email of [address('ann@example.com'), address('bob@example.com')]) {
    const account = await accounts.prepare(email);
    const passkey = newPasskey();
    await accounts.add(account, passkey);
    await new UndoLinks(client).create({ action: 'remove', ...account, passkey }, 600);
  }
  const latchkey = latchkeyOn(url);
  expect((await latchkey('export', 'ann@example.com')).json).toMatchObject({
    held: { passkeys: [{ passkeys: [{ name: 'Passkey', createdAt: expect.any(Date) }] }] },
  });
  await latchkey('forget', 'ann@example.com');
  expect(await accounts.load(address('ann@example.com'))).toBeUndefined();
  expect((await accounts.load(address('bob@example.com')))?.passkeys).toHaveLength(1);
  expect(await node.sMembers('p:accounts')).toEqual([tagOf('bob@example.com')]);
  const left = await Promise.all(
    (await node.keys('p:*')).map(async (key) => [key, await node.get(key).catch(() => '')]),
  );
  expect(JSON.stringify(left)).not.toContain(tagOf('ann@example.com'));
  expect(JSON.stringify(left)).not.toContain('ann@example.com');
  client.destroy();
});
