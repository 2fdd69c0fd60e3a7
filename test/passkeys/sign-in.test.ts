import { generateKeyPairSync, sign } from 'node:crypto';
import { Agent, request } from 'node:http';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { KnownBrowsers } from '../../src/features/email-code/known-browsers.ts';
import { Challenges } from '../../src/features/passkeys/challenges.ts';
import { passkeyLimits } from '../../src/features/passkeys/limits.ts';
import { handleOf } from '../../src/features/passkeys/record.ts';
import { PasskeyService } from '../../src/features/passkeys/service.ts';
import { RedisUnavailable } from '../../src/redis/deadline.ts';
import { handleOf as sessionHandleOf, tagOf } from '../../src/session/session-id.ts';
import { askForCode, newAddress, newIp, noMoreMail, outcomes, untilKnown } from '../email-code/code-login.ts';
import { afterwards } from '../support/afterwards.ts';
import { testSecret } from '../support/app.ts';
import { countKeys } from '../support/commands.ts';
import { keepOutOfLogs } from '../support/secrets.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { testRedis } from '../support/test-redis.ts';
import type { Visitor } from '../support/visitor.ts';
import type { Answer, Authenticator, Claims } from './authenticator.ts';
import {
  addPasskey,
  askToSignIn,
  newMember,
  newVisitor,
  origin,
  passkeyCommands,
  postJson,
  sendSignIn,
  signInWith,
  startPasskeyApp,
  subjects,
} from './passkey-app.ts';

const redisAddress = await testRedis();
const app = await startPasskeyApp({ redisAddress });
const { visitor: owner, email } = await newMember(app);
const passkey = await addPasskey(owner);

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function isSignedIn(visitor: Visitor): Promise<boolean> {
  return (await visitor.get('/admin')).status === 200;
}

function lastLine(message: string) {
  return app.logged().findLast(({ msg }) => msg === message);
}

test('a passkey signs in under a new session id, and leads where the form said', async () => {
  const visitor = newVisitor(app);
  const { status, text } = await signInWith(visitor, passkey, {}, { next: '/admin?from=mail', remember: true });
  expect({ status, answer: JSON.parse(text) }).toEqual({
    status: 200,
    answer: { status: 'done', next: '/admin?from=mail' },
  });
  const admin = await visitor.get('/admin');
  expect(admin.text).toContain(`Hello ${email}`);
  expect(admin.text).toContain('Firefox on Linux, with a passkey');
  const session = sessionHandleOf(visitor.sessionId);
  expect(lastLine('signed in')).toMatchObject({ session, person: tagOf(email) });
  expect(lastLine('passkey used')).toMatchObject({ session, passkey: handleOf(passkey.id) });
  const first = visitor.copy();
  await signInWith(visitor, passkey, {}, { next: '//evil.example' });
  expect([await isSignedIn(first), await isSignedIn(visitor)]).toEqual([false, true]);
});

test('a script that only looks gets no session and costs no key', async () => {
  const visitor = newVisitor(app);
  const keys = await countKeys(app.redis);
  expect(await passkeyCommands(app, () => askToSignIn(visitor))).toEqual([]);
  expect(await countKeys(app.redis)).toBeLessThanOrEqual(keys);
  expect([...visitor.cookies.keys()]).toEqual(['__Host-passkey']);
  const { setCookies } = await postJson(visitor, '/login/passkey/options', {});
  expect(setCookies).toEqual([
    expect.stringMatching(
      /^__Host-passkey=[\w-]{22}; Max-Age=3600; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax$/,
    ),
  ]);
});

test('the options ask for a passkey of any address, and for user verification', async () => {
  expect(await askToSignIn(newVisitor(app))).toMatchObject({
    rpId: 'login.example.com',
    allowCredentials: [],
    userVerification: 'required',
    timeout: 300_000,
  });
});

test('a form from another site is refused', async () => {
  const visitor = newVisitor(app);
  const answer = passkey.get(await askToSignIn(visitor));
  const headers = { Accept: 'application/json', 'X-Forwarded-Proto': 'https', Origin: 'https://evil.example' };
  expect((await visitor.post('/login/passkey', { json: { credential: answer }, headers })).status).toBe(403);
  expect((await sendSignIn(visitor, answer)).status).toBe(200);
});

describe('an answer is refused', () => {
  const hostile: [string, Claims][] = [
    ['from another origin', { origin: 'https://login.example.com.evil.example' }],
    ['from another port', { origin: `${origin}:8443` }],
    ['from a sibling of this host', { origin: 'https://wiki.example.com' }],
    ['for another relying party', { rpId: 'example.com' }],
    ['of another type', { type: 'webauthn.create' }],
    ['from an embedded page', { crossOrigin: true }],
    ['from a page in another one', { topOrigin: 'https://evil.example' }],
    ['without user verification', { flags: ['up', 'be', 'bs'] }],
    ['without user presence', { flags: ['uv', 'be', 'bs'] }],
    ['that is synced but cannot be', { flags: ['up', 'uv', 'bs'] }],
    ['with the user handle of somebody else', { userHandle: 'A'.repeat(43) }],
    ['with a challenge of its own', { challenge: 'A'.repeat(70) }],
    ['with an empty challenge', { challenge: '' }],
  ];
  test.each(hostile)('%s', async (_name, claims) => {
    const visitor = newVisitor(app);
    const { status, text } = await signInWith(visitor, passkey, claims);
    expect(status).toBe(422);
    expect(JSON.parse(text).error).toMatch(/^(This passkey could not be verified|That took too long)/);
    expect(await isSignedIn(visitor)).toBe(false);
  });

  const spoilt: [string, (answer: Answer) => unknown][] = [
    ['that is nothing', () => undefined],
    ['that is null', () => null],
    ['that is a list', (answer) => [answer]],
    ['without a response', ({ response: _, ...rest }) => rest],
    ['with another raw id', (answer) => ({ ...answer, rawId: 'A'.repeat(43) })],
    ['with another id', (answer) => ({ ...answer, id: 'A'.repeat(43), rawId: 'A'.repeat(43) })],
    ['with an id of another type', (answer) => ({ ...answer, id: { toString: 1 }, rawId: 7 })],
    ['with padding in its id', (answer) => ({ ...answer, id: `${answer.id}=`, rawId: `${answer.id}=` })],
    ['of no public key', (answer) => ({ ...answer, type: 'password' })],
    ['with a huge id', (answer) => ({ ...answer, id: 'A'.repeat(5000), rawId: 'A'.repeat(5000) })],
    ['with a truncated signature', changed('signature', (text) => text.slice(0, 40))],
    ['with a huge signature', changed('signature', () => 'A'.repeat(9000))],
    ['with the signature of other data', changed('signature', () => otherSignature())],
    ['with an empty signature', changed('signature', () => '')],
    ['with truncated authenticator data', changed('authenticatorData', (text) => text.slice(0, 48))],
    ['with more authenticator data', changed('authenticatorData', (text) => `${text}AAAA`)],
    ['with client data that is no JSON', changed('clientDataJSON', (text) => text.slice(0, -4))],
    ['with client data that is a list', changed('clientDataJSON', () => Buffer.from('[1]').toString('base64url'))],
    ['without a user handle', changed('userHandle', () => null)],
  ];
  test.each(spoilt)('%s', async (_name, spoil) => {
    const visitor = newVisitor(app);
    const { status } = await sendSignIn(visitor, spoil(passkey.get(await askToSignIn(visitor))));
    expect(status).toBe(422);
    expect(await isSignedIn(visitor)).toBe(false);
  });

  test('by one bit of its signed parts', async () => {
    const visitor = newVisitor(app);
    const answer = passkey.get(await askToSignIn(visitor));
    const data = Buffer.from(String(answer.response.authenticatorData), 'base64url');
    // The counter, which nothing but the signature protects.
    data.writeUInt8(1, 36);
    const response = { ...answer.response, authenticatorData: data.toString('base64url') };
    expect((await sendSignIn(visitor, { ...answer, response })).status).toBe(422);
    expect((await sendSignIn(visitor, answer)).status).toBe(200);
  });

  test('with what is too large for any answer', async () => {
    const visitor = newVisitor(app);
    const answer = passkey.get(await askToSignIn(visitor));
    expect((await sendSignIn(visitor, { ...answer, more: 'x'.repeat(20_000) })).status).toBe(413);
  });

  test('and the log says why, without anything secret', async () => {
    await signInWith(newVisitor(app), passkey, { origin: 'https://evil.example' });
    expect(lastLine('passkey not verified')).toMatchObject({
      problem: expect.stringContaining('origin "https://evil.example"'),
    });
    expect(lastLine('sign-in refused')).toMatchObject({ reason: 'passkey not verified' });
  });
});

describe('a challenge', () => {
  test('is good for one sign-in, however many answers come at once', async () => {
    const visitor = newVisitor(app);
    const answer = passkey.get(await askToSignIn(visitor));
    const statuses = await sendMany(visitor, answer, 200);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.filter((status) => status === 422)).toHaveLength(199);
    expect((await sendSignIn(visitor, answer)).status).toBe(422);
  });

  test('is bound to the browser that asked', async () => {
    const [asking, other] = [newVisitor(app), newVisitor(app)];
    await askToSignIn(other);
    const answer = passkey.get(await askToSignIn(asking));
    expect((await sendSignIn(other, answer)).status).toBe(422);
    expect((await sendSignIn(newVisitor(app), answer)).status).toBe(422);
    expect((await sendSignIn(asking, answer)).status).toBe(200);
  });

  test('lasts five minutes, in each tab of its browser', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const visitor = newVisitor(app);
    const [first, second] = [await askToSignIn(visitor), await askToSignIn(visitor)];
    const start = Date.now();
    vi.setSystemTime(start + 299_000);
    expect((await sendSignIn(visitor, passkey.get(first))).status).toBe(200);
    vi.setSystemTime(start + 301_000);
    expect(JSON.parse((await sendSignIn(visitor, passkey.get(second))).text)).toEqual({
      error: 'That took too long. Please try again.',
    });
  });

  test('for adding is none for signing in, and is refused from the future', () => {
    const challenges = new Challenges(app.redis, [testSecret]);
    vi.useFakeTimers({ toFake: ['Date'] });
    const challenge = challenges.issue('sign-in', 'A'.repeat(22));
    expect(challenges.isGood(challenge, 'sign-in', 'A'.repeat(22))).toBe(true);
    expect(challenges.isGood(challenge, 'add', 'A'.repeat(22))).toBe(false);
    // Another encoding of the same bytes would be another key of its use.
    const twin = challenge.slice(0, -1) + String.fromCharCode(challenge.charCodeAt(69) + 1);
    expect(challenges.isGood(twin, 'sign-in', 'A'.repeat(22))).toBe(false);
    vi.setSystemTime(Date.now() - 90_000);
    expect(challenges.isGood(challenge, 'sign-in', 'A'.repeat(22))).toBe(false);
  });
});

describe('the counter', () => {
  async function member(counter: number): Promise<{ person: string; key: Authenticator }> {
    const { visitor, email: person } = await newMember(app);
    return { person, key: await addPasskey(visitor, { counter }) };
  }
  const signedIn = async (key: Authenticator, counter: number) =>
    (await signInWith(newVisitor(app), key, { counter })).status;

  test('may count up, or stay at 0', async () => {
    const { person, key } = await member(3);
    expect([await signedIn(key, 4), await signedIn(key, 9)]).toEqual([200, 200]);
    const silent = await member(0);
    expect([await signedIn(silent.key, 0), await signedIn(silent.key, 0)]).toEqual([200, 200]);
    const people = [tagOf(person), tagOf(silent.person)];
    const warned = app.logged().filter(({ msg }) => msg === 'the counter of a passkey went backwards');
    expect(warned.filter(({ person: who }) => people.includes(String(who)))).toEqual([]);
  });

  test('that goes back is logged and mailed once a day, and not refused', async () => {
    const { person, key } = await member(10);
    expect(await signedIn(key, 7)).toBe(200);
    expect(lastLine('the counter of a passkey went backwards')).toMatchObject({
      person: tagOf(person),
      counterBefore: 10,
      counter: 7,
    });
    const mail = await app.mails.mailTo(person, subjects.counter);
    expect(mail.text).toContain('Its sign-in counter went backwards');
    // The other copy goes on where it was.
    expect([await signedIn(key, 11), await signedIn(key, 8)]).toEqual([200, 200]);
    expect(lastLine('the counter of a passkey went backwards')).toMatchObject({ counterBefore: 11, counter: 8 });
    await noMoreMail(app);
    await app.mails.mailTo(person, subjects.counter, 1);
  });

  test('that goes back is mailed the next time if the mail could not be stored', async () => {
    const failing = await startPasskeyApp();
    const { visitor, email: person } = await newMember(failing);
    const key = await addPasskey(visitor, { counter: 10 });
    await signInWith(newVisitor(failing), key, { counter: 11 });
    await noMoreMail(failing);
    // All keys but `{outbox}…`: the tag of an address is longer.
    await failing.redis.sendCommand(['ACL', 'SETUSER', 'default', 'resetkeys', '~[^{]*', '~{??????[^}]*']);
    await signInWith(newVisitor(failing), key, { counter: 7 });
    await failing.redis.sendCommand(['ACL', 'SETUSER', 'default', 'allkeys']);
    await signInWith(newVisitor(failing), key, { counter: 6 });
    await failing.mails.mailTo(person, subjects.counter);
  });
});

describe('limits', () => {
  test('whoever keeps failing has to wait, and nobody else, not even behind the same address', async () => {
    const ip = newIp();
    const headers = { 'X-Forwarded-For': ip };
    const stranger = newVisitor(app, headers);
    const [{ points }] = passkeyLimits.failuresPerClient;
    const answer = passkey.get(await askToSignIn(stranger), { origin: 'https://evil.example' });
    const statuses = new Set<number>();
    for (let failures = 0; failures < points; failures += 1) statuses.add((await sendSignIn(stranger, answer)).status);
    expect([...statuses]).toEqual([422]);
    const refused = await sendSignIn(stranger, answer);
    expect({ status: refused.status, wait: Number(refused.headers.get('Retry-After')) > 0 }).toEqual({
      status: 429,
      wait: true,
    });
    expect((await signInWith(newVisitor(app, headers), passkey)).status).toBe(200);
  });

  test('what does not answer a challenge of ours does not get as far as Redis', async () => {
    const visitor = newVisitor(app);
    const answer = passkey.get(await askToSignIn(visitor), { challenge: 'A'.repeat(70) });
    expect(await passkeyCommands(app, () => sendSignIn(visitor, answer))).toEqual([]);
  });

  test('a passkey signs in so often, and its owner still gets in with a code', async () => {
    const { visitor, email: person } = await newMember(app);
    const key = await addPasskey(visitor);
    const [{ points }] = passkeyLimits.signInsPerPasskey;
    const browser = newVisitor(app);
    for (let times = 0; times < points; times += 1) {
      expect((await signInWith(browser, key)).status).toBe(200);
      await untilKnown(app, person);
    }
    expect((await signInWith(browser, key)).status).toBe(429);
    expect((await newMember(app, person, 2)).email).toBe(person);
  });

  test('used-up limits of codes and of mail do not stop it', async () => {
    const { visitor, email: person } = await newMember(app);
    const key = await addPasskey(visitor);
    const counters = await app.redis.keys(`l:{${tagOf(person)}}*`);
    const used = counters.filter((name) => /mail|guess/.test(name));
    expect(used).not.toEqual([]);
    for (const counter of used) await app.redis.set(counter, '99999');
    await askForCode(newVisitor(app), person);
    expect(await outcomes(app, person, 2)).toEqual({ mailed: 1, withheld: 1 });
    expect((await signInWith(newVisitor(app), key)).status).toBe(200);
  });
});

test('a browser that is new to the address is reported, and known from then on', async () => {
  const { visitor, email: person } = await newMember(app);
  const key = await addPasskey(visitor);
  const browser = newVisitor(app);
  await signInWith(browser, key);
  const notice = await app.mails.mailTo(person, 'notice', 2);
  expect(notice.text).toContain('signed in with a passkey of yours');
  await untilKnown(app, person);
  await signInWith(browser, key);
  await signInWith(visitor, key);
  await noMoreMail(app);
  await app.mails.mailTo(person, 'notice', 2);
});

test('the link of its notice leads to pages that tell of passkeys, and not of mail alone', async () => {
  const { visitor, email: person } = await newMember(app);
  await signInWith(newVisitor(app), await addPasskey(visitor));
  const notice = await app.mails.mailTo(person, 'notice', 2);
  const [, path = '', token = ''] = /(\/end-session\?token=(\S+))/.exec(notice.text ?? '') ?? [];
  keepOutOfLogs(token);
  const reader = newVisitor(app);
  expect((await reader.get(path)).text).toContain('with a new code from your mail, or with a passkey of yours.');
  const { text } = await reader.post('/end-session', { form: { token } });
  expect(text).toContain('somebody else can read your mail, or has a passkey of yours.');
  expect(text).toContain('your other sessions and your passkeys');
  expect(text).not.toContain('because the code was sent there');
});

test('nobody is signed in from a new browser whose notice could not be prepared', async () => {
  const { visitor, email: person } = await newMember(app);
  const key = await addPasskey(visitor);
  const sessions = await app.redis.keys(`{${tagOf(person)}}*`);
  vi.spyOn(KnownBrowsers.prototype, 'awaitNotice').mockRejectedValueOnce(new RedisUnavailable('no answer'));
  const browser = newVisitor(app);
  const { status, setCookies } = await signInWith(browser, key);
  expect({ status, setCookies }).toEqual({ status: 503, setCookies: [] });
  expect(await app.redis.keys(`{${tagOf(person)}}*`)).toEqual(sessions);
  expect((await signInWith(browser, key)).status).toBe(200);
  await app.mails.mailTo(person, 'notice', 2);
});

test('nobody is signed in where Redis does not say whether the passkey is still there', async () => {
  const { visitor, email: person } = await newMember(app);
  const key = await addPasskey(visitor);
  const sessions = await app.redis.keys(`{${tagOf(person)}}*`);
  vi.spyOn(PasskeyService.prototype, 'isThere').mockRejectedValueOnce(new RedisUnavailable('no answer'));
  const browser = newVisitor(app);
  const { status, setCookies } = await signInWith(browser, key);
  expect([status, setCookies.filter((line) => /session=[^;]/.test(line))]).toEqual([503, []]);
  expect(await app.redis.keys(`{${tagOf(person)}}*`)).toEqual(sessions);
  expect((await signInWith(browser, key)).status).toBe(200);
});

test('a passkey that is removed by the link in a mail while it signs in leaves no session behind', async () => {
  const link = await startTcpProxy({ path: redisAddress.socketPath });
  afterwards(link.close);
  const slow = await startPasskeyApp({
    mails: app.mails,
    redisAddress: { url: `redis://127.0.0.1:${link.port}` },
  });
  const { visitor, email: robbed } = await newMember(app);
  const stolen = await addPasskey(visitor);
  const { text = '' } = await app.mails.mailTo(robbed, subjects.added);
  const token = new URL(/https:\S+/.exec(text)?.[0] ?? '').searchParams.get('token') ?? '';
  const thief = newVisitor(slow);
  const answer = stolen.get(await askToSignIn(thief));
  const lastUse = () => app.redis.hGet(`p:{${tagOf(robbed)}}`, `${handleOf(stolen.id)}:use`);
  const before = await lastUse();
  link.delayMs = 100;
  const signingIn = sendSignIn(thief, answer);
  await expect.poll(lastUse, { timeout: 8000, interval: 2 }).not.toBe(before);
  // Shorter than the deadline of a command, and long enough for the undo even on a busy machine.
  link.delayMs = 500;
  expect((await newVisitor(app).post('/passkeys/undo', { form: { token } })).status).toBe(200);
  const refused = await signingIn;
  link.delayMs = 0;
  expect([refused.status, JSON.parse(refused.text).error]).toEqual([422, expect.stringContaining('has been removed')]);
  expect(await isSignedIn(thief)).toBe(false);
  expect(await app.redis.zCard(tagOf(robbed))).toBe(0);
  await noMoreMail(app);
  // That of the sign-in by code before, and no other.
  const isNotice = ({ to, mail }: (typeof app.mails.inbox)[number]) =>
    to.includes(robbed) && /^New/.test(`${mail.subject}`);
  expect(app.mails.inbox.filter(isNotice)).toHaveLength(1);
});

test('an address that was taken off the list does not get in, and gets in again when it is back', async () => {
  const person = newAddress();
  const { visitor } = await newMember(app, person);
  const key = await addPasskey(visitor);
  const { mails } = app;
  const without = await startPasskeyApp({ redisAddress, mails, env: { ALLOWED_EMAILS: '@example.org' } });
  const { status, text } = await signInWith(newVisitor(without), key);
  expect({ status, error: JSON.parse(text).error }).toEqual({
    status: 422,
    error: 'The address of this passkey may not log in here.',
  });
  expect(without.logged().findLast(({ msg }) => msg === 'sign-in refused')).toMatchObject({
    reason: 'not in ALLOWED_EMAILS',
    person: tagOf(person),
  });
  const again = await startPasskeyApp({ redisAddress, mails, env: { ALLOWED_EMAILS: person } });
  expect((await signInWith(newVisitor(again), key)).status).toBe(200);
});

test('a replaced SESSION_SECRET spoils challenges that are under way, and no passkey', async () => {
  const visitor = newVisitor(app);
  const answer = passkey.get(await askToSignIn(visitor));
  const { mails } = app;
  const replaced = await startPasskeyApp({
    ...{ redisAddress, mails },
    secrets: ['another secret for the tests, of 32 characters and more'],
  });
  expect((await sendSignIn(visitor.copy(replaced.url), answer)).status).toBe(422);
  expect((await signInWith(newVisitor(replaced), passkey)).status).toBe(200);
  expect((await sendSignIn(visitor, answer)).status).toBe(200);
});

test('when Redis has lost everything, the way back is a code, and no browser is told to forget its passkey', async () => {
  const lost = await startPasskeyApp();
  const { visitor, email: person } = await newMember(lost);
  const key = await addPasskey(visitor);
  await lost.redis.flushAll();
  const browser = newVisitor(lost);
  const { status, text } = await signInWith(browser, key);
  expect({ status, answer: JSON.parse(text) }).toEqual({
    status: 422,
    answer: { error: 'This passkey is not known here. Log in with your e-mail address instead.' },
  });
  const { visitor: back } = await newMember(lost, person, 2);
  const fresh = await addPasskey(back);
  expect((await signInWith(newVisitor(lost), fresh)).status).toBe(200);
});

test('over http nobody signs in where the site is https', async () => {
  const visitor = newVisitor(app, { 'X-Forwarded-Proto': 'http' });
  const answer = await visitor.post('/login/passkey', { json: {}, headers: { 'X-Forwarded-Proto': 'http' } });
  expect(answer.status).toBe(403);
});

/** The same answer again and again, as fast as it goes. */
async function sendMany(visitor: Visitor, credential: Answer, times: number): Promise<(number | undefined)[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 50 });
  const body = JSON.stringify({ credential });
  const headers = {
    ...{ 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), Accept: 'application/json' },
    ...{ 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': newIp(), Cookie: visitor.cookieHeader },
  };
  const sent = Array.from({ length: times }, () => {
    return new Promise<number | undefined>((done, fail) => {
      const asked = request(`${app.url}/login/passkey`, { method: 'POST', agent, headers }, (answer) => {
        answer.resume().once('end', () => done(answer.statusCode));
      });
      asked.once('error', fail).end(body);
    });
  });
  return Promise.all(sent).finally(() => agent.destroy());
}

function changed(field: string, change: (text: string) => unknown): (answer: Answer) => Answer {
  return (answer) => ({
    ...answer,
    response: { ...answer.response, [field]: change(String(answer.response[field])) },
  });
}

function otherSignature(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return sign('sha256', Buffer.from('other data'), privateKey).toString('base64url');
}
