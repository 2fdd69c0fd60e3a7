import { expect, test } from 'vitest';
import { Accounts } from '../../src/features/passkeys/accounts.ts';
import { handleOf } from '../../src/features/passkeys/record.ts';
import { UndoLinks } from '../../src/features/passkeys/undo-links.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { latchkeyOn } from '../cli/run-latchkey.ts';
import { address } from '../support/address.ts';
import { connectNode, connectUrl } from '../support/app.ts';
import { keepOutOfLogs } from '../support/secrets.ts';
import { testRedis } from '../support/test-redis.ts';
import { newPasskey } from './redis-uses.ts';

const redisAddress = await testRedis();
const url = `unix://${redisAddress.socketPath}`;
const node = await connectNode(redisAddress);
const client = await connectUrl(url);
const accounts = new Accounts(client);
const latchkey = latchkeyOn(url);

async function addTwo(email: string): Promise<string[]> {
  const account = await accounts.prepare(address(email));
  const passkeys = [newPasskey(), { ...newPasskey(), name: 'Phone', lastUsedAt: 1_700_000_000_000, createdAt: 1 }];
  for (const passkey of passkeys) {
    await accounts.add(account, passkey);
    keepOutOfLogs(await new UndoLinks(client).create({ action: 'remove', ...account, passkey }, 60));
  }
  return passkeys.map(({ id }) => handleOf(id));
}

test('the passkeys of an address are listed, the oldest first', async () => {
  const [second, first] = await addTwo('list@example.com');
  const { text, json } = await latchkey('passkeys', 'list@example.com');
  expect(text).toMatch(/^list@example\.com has 2 passkeys\.\nPASSKEY /);
  expect(text).toContain(`${first}  Phone`);
  expect(text).toContain('2023-11-14 22:13:20 UTC');
  expect(json).toMatchObject({
    passkeys: [
      { passkey: first, name: 'Phone' },
      { passkey: second, counter: 5 },
    ],
  });
  expect((await latchkey('passkeys', 'nobody@example.com')).text).toBe('nobody@example.com has 0 passkeys.\n');
});

test('whoever ends the sessions of an address is told of the passkeys that can begin new ones', async () => {
  await addTwo('intruder@example.com');
  const { text, json } = await latchkey('end', 'intruder@example.com');
  expect(text).toMatch(
    /^Ended 0 sessions of intruder@example\.com\.\nintruder@example\.com can still sign in with 2 passkeys\./,
  );
  expect(json).toMatchObject({ ended: 0, passkeys: 2 });
  await latchkey('remove-passkeys', 'intruder@example.com');
  expect((await latchkey('end', 'intruder@example.com')).text).toBe('Ended 0 sessions of intruder@example.com.\n');
});

test('one is removed, or all are', async () => {
  const [second = ''] = await addTwo('remove@example.com');
  expect((await latchkey('remove-passkeys', 'remove@example.com', '--passkey', 'unknown')).json).toMatchObject({
    removed: 0,
  });
  expect((await latchkey('remove-passkeys', 'remove@example.com', '--passkey', second)).json).toMatchObject({
    removed: 1,
  });
  expect(await node.get(`p:id:${second}`)).toBe('removed');
  expect((await latchkey('remove-passkeys', 'remove@example.com')).text).toBe(
    'Removed 1 passkey of remove@example.com.\n',
  );
  expect((await latchkey('passkeys', 'remove@example.com')).json).toMatchObject({ passkeys: [] });
});

test.each([
  ['removes the passkey', (email: string, handle: string) => ['remove-passkeys', email, '--passkey', handle]],
  ['ends all sessions', (email: string) => ['end', email]],
])('no link that was mailed before restores a passkey once an operator %s', async (deed, commandFor) => {
  const email = `${deed.replaceAll(' ', '-')}@example.com`;
  const [handle = ''] = await addTwo(email);
  const before = await accounts.load(address(email));
  const passkey = before?.passkeys.find(({ id }) => handleOf(id) === handle);
  if (!before || !passkey) throw new Error('the passkey is missing');
  await latchkey('end', email, '--session', 'unknown');
  await accounts.remove(before.email, handle);
  expect(await accounts.add(before, passkey)).toBe('added');
  await accounts.remove(before.email, handle);
  await latchkey(...commandFor(email, handle));
  expect(await accounts.add(before, passkey)).toBe('other');
  const after = await accounts.load(before.email);
  expect(after && (await accounts.add(after, newPasskey()))).toBe('added');
});

test('the log names a passkey that was removed, and repeats nothing else that was typed', async () => {
  await node.del('operator-log');
  const [handle = ''] = await addTwo('log@example.com');
  await latchkey('remove-passkeys', 'log@example.com', '--passkey', 'a slip');
  await latchkey('remove-passkeys', 'log@example.com', '--passkey', handle);
  await latchkey('remove-passkeys', 'log@example.com');
  const lines = (await node.lRange('operator-log', 0, -1)).map((line) => JSON.parse(line));
  expect(lines.map(({ removed, passkey }) => [removed, passkey])).toEqual([
    [0, undefined],
    [1, handle],
    [1, undefined],
  ]);
});

test.each([
  ['the user handle', () => 'user'],
  ['the address', () => 'email'],
  ['how a passkey was used', (handle: string) => `${handle}:use`],
  ['the name of a passkey', (handle: string) => `${handle}:name`],
])('what is no passkey is not removed as one: %s', async (what, wordFor) => {
  const email = `${what.replaceAll(' ', '-')}@example.com`;
  const [handle = ''] = await addTwo(email);
  const before = await accounts.load(address(email));
  const word = wordFor(handle);
  expect((await latchkey('remove-passkeys', email, '--passkey', word)).json).toMatchObject({ removed: 0 });
  expect(await accounts.load(address(email))).toEqual(before);
  expect(await node.exists(`p:id:${word}`)).toBe(0);
});

test('all that is held about an address is exported and forgotten, and nothing of another one', async () => {
  await addTwo('ann@example.com');
  await addTwo('bob@example.com');
  const { json } = await latchkey('export', 'ann@example.com');
  expect(json).toMatchObject({
    held: {
      passkeys: [
        { userHandle: expect.stringMatching(/^[\w-]{43}$/), passkeys: [{ name: 'Phone' }, { name: 'Passkey' }] },
      ],
      'passkeys by their ids': [{}, {}],
      'links that undo a change to passkeys': [{ action: 'remove' }, { action: 'remove' }],
    },
  });
  await latchkey('forget', 'ann@example.com');
  expect((await latchkey('export', 'ann@example.com')).json).toMatchObject({ held: {} });
  expect(await node.sIsMember('p:accounts', tagOf('ann@example.com'))).toBe(0);
  expect((await latchkey('passkeys', 'bob@example.com')).text).toContain('bob@example.com has 2 passkeys.');
});
