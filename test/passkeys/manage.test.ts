import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Accounts } from '../../src/features/passkeys/accounts.ts';
import { handleOf } from '../../src/features/passkeys/record.ts';
import { UndoLinks } from '../../src/features/passkeys/undo-links.ts';
import { RedisUnavailable } from '../../src/redis/deadline.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { noMoreMail } from '../email-code/code-login.ts';
import { address } from '../support/address.ts';
import type { Visitor } from '../support/visitor.ts';
import type { Authenticator } from './authenticator.ts';
import {
  addPasskey,
  newMember,
  newVisitor,
  passkeyCommands,
  signInWith,
  startPasskeyApp,
  subjects,
} from './passkey-app.ts';

const app = await startPasskeyApp();
const accounts = new Accounts(app.redis);

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function memberWithPasskey(): Promise<{
  visitor: Visitor;
  email: string;
  passkey: Authenticator;
  handle: string;
}> {
  const { visitor, email } = await newMember(app);
  const passkey = await addPasskey(visitor);
  return { visitor, email, passkey, handle: handleOf(passkey.id) };
}

function remove(visitor: Visitor, handle: string) {
  return visitor.post('/passkeys/remove', { form: { passkey: handle } });
}

async function linkFor(email: string, subject: RegExp) {
  return linkIn((await app.mails.mailTo(email, subject)).text);
}

/** The same after they have removed it, with the link that restores it. */
async function memberWithoutPasskey() {
  const member = await memberWithPasskey();
  await remove(member.visitor, member.handle);
  return { ...member, ...(await linkFor(member.email, subjects.removed)) };
}

/** Presses the button behind the link of a mail, as anybody who has it. */
function undo(token: string) {
  return newVisitor(app).post('/passkeys/undo', { form: { token } });
}

/** As many others as an address can have. */
async function addTwenty(email: string): Promise<void> {
  const account = await accounts.prepare(address(email));
  const made = { publicKey: '', aaguid: '', transports: [], createdAt: 1, counter: 0, lastUsedAt: undefined };
  for (let count = 1; count <= 20; count += 1) {
    const other = { ...made, id: crypto.randomUUID(), name: 'Other', isSyncable: false, isSynced: false };
    expect(await accounts.add(account, other)).toBe('added');
  }
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url').slice(0, 22);
}

function linkIn(text = '') {
  const url = new URL(/https:\S+/.exec(text)?.[0] ?? '');
  return { path: url.pathname + url.search, token: url.searchParams.get('token') ?? '' };
}

test('the list says when each was added and used, and whether it is synced', async () => {
  const { visitor, passkey } = await memberWithPasskey();
  const first = (await visitor.get('/passkeys')).text;
  expect(first).toMatch(/<strong>Firefox on Linux<\/strong> <span class="tag">Synced<\/span>/);
  expect(first).toContain('Not used yet');
  await signInWith(newVisitor(app), passkey, { flags: ['up', 'uv', 'be'] });
  const second = (await visitor.get('/passkeys')).text;
  expect(second).toContain('Not synced yet');
  expect(second).toContain('Last used just now');
  await addPasskey(visitor, { flags: ['up', 'uv'] });
  expect((await visitor.get('/passkeys')).text).toContain('On one device');
});

test('passkeys cost Redis nothing on any page but their list, which takes one command', async () => {
  const { visitor } = await memberWithPasskey();
  const commands = await passkeyCommands(app, async () => {
    for (const path of ['/', '/admin', '/login', '/passkeys/add']) await visitor.get(path);
    for (const path of ['/', '/admin', '/login']) await newVisitor(app).get(path);
  });
  expect(commands).toEqual([]);
  expect(await passkeyCommands(app, () => visitor.get('/passkeys'))).toHaveLength(1);
});

describe('a name', () => {
  test('can be changed by its owner', async () => {
    const { visitor, handle } = await memberWithPasskey();
    const form = await visitor.get(`/passkeys/rename?passkey=${handle}`);
    expect(form.text).toContain('value="Firefox on Linux"');
    const { status, location } = await visitor.post('/passkeys/rename', {
      form: { passkey: handle, name: '  My <b>phone</b> ' },
    });
    expect({ status, location }).toEqual({ status: 303, location: '/passkeys' });
    expect((await visitor.get('/passkeys')).text).toContain('<strong>My &lt;b&gt;phone&lt;/b&gt;</strong>');
  });

  test.each([
    ['', 'Enter a name.'],
    ['x'.repeat(61), 'up to 60 characters'],
    ['pho\u200bne', 'characters that nobody can see'],
    ['phone\u202e', 'characters that nobody can see'],
    ['\u200d\ufe0f', 'characters that nobody can see'],
    ['\u2800 \u2800', 'Enter a name.'],
    ['\u2800\ufe0f', 'Enter a name.'],
    ['phone\u{e0067}\u{e007f}', 'characters that nobody can see'],
    ['\u{1f3f4}\u{e0067}\u{e0062}', 'characters that nobody can see'],
  ])('such as %j is refused at its field', async (name, problem) => {
    const { visitor, handle } = await memberWithPasskey();
    const { status, text } = await visitor.post('/passkeys/rename', { form: { passkey: handle, name } });
    expect(status).toBe(422);
    expect(text).toContain(problem);
    expect(text).toContain('aria-describedby="name-problem"');
  });

  test.each([
    ['an emoji with a choice of its look', '\u2764\ufe0f phone'],
    ['an emoji that is made of several', '\u2764\ufe0f\u200d\u{1f525} \u{1f469}\u200d\u{1f4bb}'],
    [
      'the flag of Scotland, which is spelled in invisible letters',
      '\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f} phone',
    ],
    ['a word in Braille, with a blank', '\u280f\u2800\u280f'],
    ['a Persian word with a joiner', '\u06af\u0648\u0634\u06cc\u200c\u0645\u0646'],
    ['60 emojis', '\u{1f4f1}'.repeat(60)],
  ])('may have %s', async (_what, name) => {
    const { visitor, handle } = await memberWithPasskey();
    expect((await visitor.post('/passkeys/rename', { form: { passkey: handle, name } })).status).toBe(303);
    expect((await visitor.get('/passkeys')).text).toContain(`<strong>${name}</strong>`);
  });

  test('is not said to have changed where the passkey was removed at the same moment', async () => {
    const { visitor, email, handle } = await memberWithPasskey();
    const { rename } = Accounts.prototype;
    vi.spyOn(Accounts.prototype, 'rename').mockImplementationOnce(async (...given) => {
      await accounts.remove(address(email), handle);
      return Reflect.apply(rename, accounts, given);
    });
    const { status, text } = await visitor.post('/passkeys/rename', { form: { passkey: handle, name: 'Phone' } });
    expect(status).toBe(404);
    expect(text).toContain('You have no such passkey.');
    expect((await visitor.get('/passkeys')).text).not.toContain('Phone');
  });

  test('of somebody else’s passkey cannot be changed', async () => {
    const { handle, email } = await memberWithPasskey();
    const { visitor: other } = await newMember(app);
    expect((await other.post('/passkeys/rename', { form: { passkey: handle, name: 'Mine' } })).status).toBe(404);
    expect((await accounts.load(address(email)))?.passkeys[0]?.name).toBe('Firefox on Linux');
  });
});

describe('removing', () => {
  test('asks first, ends what the passkey could do, and says that it was the last one', async () => {
    const { visitor, email, passkey, handle } = await memberWithPasskey();
    const page = await visitor.get(`/passkeys/remove?passkey=${handle}`);
    expect(page.text).toContain('It is your only passkey: after that, you log in with a code by mail.');
    expect((await signInWith(newVisitor(app), passkey)).status).toBe(200);
    expect((await remove(visitor, handle)).location).toBe('/passkeys');
    const list = (await visitor.get('/passkeys')).text;
    expect(list).toContain('It was your last one: from now on, log in with a code.');
    // So that the provider learns that none is left.
    expect(list).toMatch(/data-passkey-signals="[^"]*&#34;ids&#34;:\[\]/);
    const { status, text } = await signInWith(newVisitor(app), passkey);
    expect({ status, answer: JSON.parse(text) }).toEqual({
      status: 422,
      answer: {
        error: 'This passkey has been removed. Log in with your e-mail address instead.',
        unknownCredential: { rpId: 'login.example.com', credentialId: passkey.id },
      },
    });
    expect((await newMember(app, email, 2)).email).toBe(email);
    expect(app.logged().findLast(({ msg }) => msg === 'passkey removed')).toMatchObject({
      ...{ passkey: handle, ip: expect.any(String) },
    });
  });

  test('takes a login of at most ten minutes ago', async () => {
    const { visitor, handle, email } = await memberWithPasskey();
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() + 601_000);
    expect((await visitor.get(`/passkeys/remove?passkey=${handle}`)).status).toBe(401);
    expect((await remove(visitor, handle)).status).toBe(401);
    expect((await visitor.get('/passkeys')).status).toBe(200);
    expect((await accounts.load(address(email)))?.passkeys).toHaveLength(1);
  });

  test('is for the owner alone', async () => {
    const { handle, passkey } = await memberWithPasskey();
    const { visitor: other } = await newMember(app);
    expect((await other.get(`/passkeys/remove?passkey=${handle}`)).status).toBe(404);
    await remove(other, handle);
    const { text } = await other.get('/passkeys');
    expect(text).toContain('You have no such passkey any more.');
    expect(text).not.toContain('been removed');
    expect((await signInWith(newVisitor(app), passkey)).status).toBe(200);
  });

  test('is mailed, with a link that restores the passkey, once', async () => {
    const { visitor, email, passkey, handle } = await memberWithPasskey();
    await visitor.post('/passkeys/rename', { form: { passkey: handle, name: 'Call +1 555 0100 now' } });
    await remove(visitor, handle);
    const mail = await app.mails.mailTo(email, subjects.removed);
    expect(mail.text).toMatch(/Firefox on Linux removed the passkey that was added on \w{3}, /);
    // The token of the link may spell anything.
    expect(`${mail.text}${mail.html}`.replace(/token=[\w-]+/g, '')).not.toContain('555');
    const { path, token } = await linkFor(email, subjects.removed);
    expect((await newVisitor(app).get(path)).text).toContain('Restore this passkey?');
    expect((await signInWith(newVisitor(app), passkey)).status).toBe(422);
    for (const _press of ['first', 'second']) {
      const undone = await undo(token);
      expect(undone.text).toContain('The passkey has been restored');
    }
    expect(app.logged().findLast(({ msg }) => msg === 'passkey restored')).toMatchObject({ ip: expect.any(String) });
    expect((await signInWith(newVisitor(app), passkey)).status).toBe(200);
    expect((await visitor.get('/admin')).status).toBe(200);
  });

  test('is undone with a mail, whose link removes the passkey again', async () => {
    const { visitor, email, passkey, token } = await memberWithoutPasskey();
    await undo(token);
    const mail = await app.mails.mailTo(email, subjects.restored);
    expect(mail.text).toContain('with the link in the mail about its removal');
    const again = linkIn(mail.text);
    expect((await newVisitor(app).get(again.path)).text).toContain('Remove this passkey?');
    const undone = await undo(again.token);
    expect(undone.text).toContain('The passkey has been removed');
    expect((await signInWith(newVisitor(app), passkey)).status).toBe(422);
    expect((await visitor.get('/admin')).status).toBe(401);
  });

  test('is not undone when nobody can be told, and the link stays good', async () => {
    const { passkey, token } = await memberWithoutPasskey();
    let foundMeanwhile: unknown;
    const create = vi.spyOn(UndoLinks.prototype, 'create').mockImplementation(async () => {
      foundMeanwhile = await accounts.find(passkey.id);
      throw new RedisUnavailable('no');
    });
    expect((await undo(token)).status).toBe(503);
    expect([foundMeanwhile, await accounts.find(passkey.id)]).toEqual(['removed', 'removed']);
    create.mockRestore();
    expect((await undo(token)).text).toContain('has been restored');
  });

  test('is undone no more often than its limit allows, and the link stays good', async () => {
    const { email, token } = await memberWithoutPasskey();
    const counter = `l:{${tagOf(email)}}passkeys-restored:86400`;
    await app.redis.set(counter, '40', { expiration: { type: 'EX', value: 86_400 } });
    const refused = await undo(token);
    expect([refused.status, Number(refused.headers.get('retry-after')) > 86_000]).toEqual([429, true]);
    await app.redis.del(counter);
    expect((await undo(token)).text).toContain('has been restored');
  });

  test('can still be undone after the link in the mail about another passkey was followed', async () => {
    const { visitor, email, passkey, handle } = await memberWithPasskey();
    await app.mails.mailTo(email, subjects.added);
    await addPasskey(visitor);
    const additions = () =>
      app.mails.inbox.filter(({ to, mail }) => to.includes(email) && subjects.added.test(`${mail.subject}`));
    await expect.poll(additions).toHaveLength(2);
    await remove(visitor, handle);
    const { token } = await linkFor(email, subjects.removed);
    const stranger = linkIn(additions()[1]?.mail.text);
    const secured = await undo(stranger.token);
    expect(secured.text).toContain('The passkey has been removed');
    expect((await undo(token)).text).toContain('has been restored');
    expect((await signInWith(newVisitor(app), passkey)).status).toBe(200);
  });

  test('can no longer be undone once its owner has followed the link in the mail about its addition', async () => {
    const { visitor, email, handle } = await memberWithPasskey();
    const added = await linkFor(email, subjects.added);
    await remove(visitor, handle);
    const removed = await linkFor(email, subjects.removed);
    const undone = await undo(added.token);
    expect(undone.text).toContain('That passkey has already been removed');
    expect((await undo(removed.token)).status).toBe(410);
    expect((await accounts.load(address(email)))?.passkeys).toEqual([]);
  });

  test('is undone once by a button that is pressed 20 times, and every press is told so', async () => {
    const { visitor, email, handle, path, token } = await memberWithoutPasskey();
    const presses = await Promise.all(Array.from({ length: 20 }, () => undo(token)));
    const headings = presses.map(({ text }) => /<h1>(.*)<\/h1>/.exec(text)?.[1]);
    expect(headings).toContain('The passkey has been restored');
    // What a press says that found it restored by another at the same moment.
    const either = ['The passkey has been restored', 'That passkey is already there'];
    expect(headings.filter((heading = '') => !either.includes(heading))).toEqual([]);
    const isAbout = (line: Record<string, unknown>) => line.msg === 'passkey restored' && line.passkey === handle;
    expect(app.logged().filter(isAbout)).toHaveLength(1);
    // Within that moment, a press does nothing any more.
    await remove(visitor, handle);
    expect((await undo(token)).status).toBe(200);
    expect((await accounts.load(address(email)))?.passkeys ?? []).toEqual([]);

    const key = `p:undo:${digestOf(token)}`;
    expect(await app.redis.ttl(key)).toBeLessThanOrEqual(30);
    await app.redis.del(key);
    const late = await undo(token);
    expect(late.status).toBe(410);
    expect(late.text).toContain('<a class="button primary" href="/login">Log in</a>');
    expect(late.text).toContain('remove any of them, once you have logged in.');
    const signedIn = await visitor.get(path);
    expect(signedIn.status).toBe(410);
    expect(signedIn.text).toContain('<a class="button primary" href="/passkeys">Your passkeys</a>');
  });

  test('mails no more often than its limit allows, however many requests come at once', async () => {
    const { visitor, email, handle, passkey } = await memberWithPasskey();
    const counter = `l:{${tagOf(email)}}passkeys-removed:86400`;
    await app.redis.set(counter, '38', { expiration: { type: 'EX', value: 86_400 } });
    const answers = await Promise.all(Array.from({ length: 20 }, () => remove(visitor.copy(), handle)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([303, 429]));
    await noMoreMail(app);
    const mailed = app.mails.inbox.filter(
      ({ to, mail }) => to.includes(email) && subjects.removed.test(`${mail.subject}`),
    );
    expect(mailed.length).toBeGreaterThan(0);
    expect(mailed.length).toBeLessThanOrEqual(2);

    const { token } = linkIn(mailed[0]?.mail.text);
    expect((await undo(token)).text).toContain('has been restored');
    await app.redis.set(counter, '40', { expiration: { type: 'EX', value: 86_400 } });
    const refused = await remove(visitor, handle);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(86_000);
    expect(refused.text).toContain('href="/passkeys"');
    expect((await signInWith(newVisitor(app), passkey)).status).toBe(200);
  });

  test('can’t be undone past the limit of passkeys, and the link stays good', async () => {
    const { visitor, email, passkey, token } = await memberWithoutPasskey();
    await addTwenty(email);
    const refused = await visitor.post('/passkeys/undo', { form: { token } });
    expect(refused.status).toBe(422);
    expect(refused.text).toContain('20 passkeys');
    expect(await accounts.find(passkey.id)).toBe('removed');
    const [other] = (await accounts.load(address(email)))?.passkeys ?? [];
    await accounts.remove(address(email), handleOf(other?.id ?? ''));
    expect((await visitor.post('/passkeys/undo', { form: { token } })).status).toBe(200);
    expect((await signInWith(newVisitor(app), passkey)).status).toBe(200);
  });

  test('and a restoration that failed halfway: the next attempt completes it', async () => {
    const { email, handle, passkey, token } = await memberWithoutPasskey();
    await undo(token);
    await app.redis.set(`p:id:${handle}`, 'removed');
    await app.redis.sRem('p:accounts', tagOf(email));
    const account = await accounts.load(address(email));
    if (!account) throw new Error('there is no account');
    const [restored] = account.passkeys;
    expect(restored && (await accounts.tryAdding(account, restored))).toBe('there');
    expect((await signInWith(newVisitor(app), passkey)).status).toBe(200);
    expect(await app.redis.sMembers('p:accounts')).toContain(tagOf(email));
  });

  test('and a revocation of its link, which is forgotten once no such link can be left', async () => {
    const { email, handle } = await memberWithPasskey();
    const revoked = async () =>
      Object.keys(await app.redis.hGetAll(`p:{${tagOf(email)}}`)).filter((name) => name.endsWith(':revoked'));
    await accounts.revokeLinks(address(email), handle);
    await app.redis.hSet(`p:{${tagOf(email)}}`, `${'y'.repeat(22)}:revoked`, 'no time');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 7 * 86_400_000 + 1000 });
    await accounts.revokeLinks(address(email), 'x'.repeat(22));
    expect((await revoked()).sort()).toEqual([`${'x'.repeat(22)}:revoked`, `${'y'.repeat(22)}:revoked`]);
  });

  test('can’t be undone by a revoked link, which is the reason given even where there are 20 others', async () => {
    const { visitor, email, handle, token } = await memberWithoutPasskey();
    await addTwenty(email);
    await accounts.revokeLinks(address(email), handle);
    expect((await visitor.post('/passkeys/undo', { form: { token } })).status).toBe(410);
  });

  test('everything of an address leaves nothing that a link could bring back', async () => {
    const { visitor, email, passkey, handle } = await memberWithPasskey();
    await addPasskey(visitor);
    await remove(visitor, handle);
    const { token } = await linkFor(email, subjects.removed);
    expect(await accounts.forget(tagOf(email))).toBe(1);
    expect((await undo(token)).status).toBe(410);
    expect(await app.redis.keys(`p:{${tagOf(email)}}`)).toEqual([]);
    expect((await signInWith(newVisitor(app), passkey)).status).toBe(422);
  });
});

test.each(['', 'x'.repeat(22), '../../..'])('a link with the token %j leads nowhere', async (token) => {
  const visitor = newVisitor(app);
  expect((await visitor.get(`/passkeys/undo?token=${token}`)).status).toBe(410);
  expect((await visitor.post('/passkeys/undo', { form: { token } })).status).toBe(410);
});

describe('what Redis holds', () => {
  test('a key of another type counts as no passkey, and gives way to one', async () => {
    const { visitor, email } = await newMember(app);
    await app.redis.set(`p:{${tagOf(email)}}`, 'not ours');
    expect((await visitor.get('/passkeys')).text).toContain('There are none yet');
    const passkey = await addPasskey(visitor);
    expect((await signInWith(newVisitor(app), passkey)).status).toBe(200);
  });

  test('a passkey that can’t be read is left out', async () => {
    const { visitor, email, passkey, handle } = await memberWithPasskey();
    await app.redis.hSet(`p:{${tagOf(email)}}`, handle, '{"id":1}');
    expect((await visitor.get('/passkeys')).text).toContain('There are none yet');
    expect((await signInWith(newVisitor(app), passkey)).status).toBe(422);
  });

  test('the list of addresses with passkeys names those that have any', async () => {
    const { visitor, email, handle } = await memberWithPasskey();
    expect(await app.redis.sIsMember('p:accounts', tagOf(email))).toBe(1);
    await remove(visitor, handle);
    expect(await app.redis.sIsMember('p:accounts', tagOf(email))).toBe(0);
  });
});
