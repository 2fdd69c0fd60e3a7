import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Accounts, maxPasskeys } from '../../src/features/passkeys/accounts.ts';
import { handleOf } from '../../src/features/passkeys/record.ts';
import { tagIn, tagOf } from '../../src/session/session-id.ts';
import { askForCode, enterCode, newAddress } from '../email-code/code-login.ts';
import { address } from '../support/address.ts';
import { listenLocally } from '../support/servers.ts';
import { testRedis } from '../support/test-redis.ts';
import type { Visitor } from '../support/visitor.ts';
import { type Answer, Authenticator, type Claims, ecKey, readCreationOptions } from './authenticator.ts';
import {
  addPasskey,
  askToAdd,
  askToSignIn,
  newMember,
  newVisitor,
  origin,
  postJson,
  sendNew,
  signInWith,
  startPasskeyApp,
  subjects,
} from './passkey-app.ts';
import { newPasskey } from './redis-uses.ts';

const redisAddress = await testRedis();
const app = await startPasskeyApp({ redisAddress });

afterEach(() => {
  vi.useRealTimers();
});

test('the options name the address, and ask for a discoverable passkey with user verification and no attestation', async () => {
  const { visitor, email } = await newMember(app);
  const { text, headers } = await askToAdd(visitor);
  const options = readCreationOptions(text);
  expect(options).toMatchObject({
    rp: { id: 'login.example.com', name: 'Latchkey' },
    user: { name: email, displayName: email },
    excludeCredentials: [],
    authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
    attestation: 'none',
  });
  expect(options.pubKeyCredParams.map(({ alg }) => alg)).toEqual([-8, -7, -257]);
  expect(headers.get('Cache-Control')).toBe('no-store');
});

test('the user handle is random, stays the same for an address, and says nothing of it', async () => {
  const { visitor, email } = await newMember(app);
  const handles = [await askToAdd(visitor), await askToAdd(visitor)].map(
    ({ text }) => readCreationOptions(text).user.id,
  );
  expect(handles[0]).toMatch(/^[\w-]{43}$/);
  expect(handles[1]).toBe(handles[0]);
  expect(Buffer.from(handles[0] ?? '', 'base64url').toString()).not.toContain(email);
  expect(handles[0]).not.toContain(tagOf(email).slice(0, 6));
  const again = await startPasskeyApp();
  const other = await newMember(again, email);
  expect(readCreationOptions((await askToAdd(other.visitor)).text).user.id).not.toBe(handles[0]);
});

test('a passkey is kept without expiry under the tag of its address, once it is there', async () => {
  const { visitor, email } = await newMember(app);
  const key = `p:{${tagOf(email)}}`;
  await askToAdd(visitor);
  expect(await app.redis.ttl(key)).toBeGreaterThan(0);
  const authenticator = await addPasskey(visitor, { counter: 3, transports: ['usb', 'telepathy'] });
  expect(await app.redis.ttl(key)).toBe(-1);
  expect(await app.redis.get(`p:id:${handleOf(authenticator.id)}`)).toBe(tagOf(email));
  const account = await new Accounts(app.redis).load(address(email));
  expect(account?.passkeys).toEqual([
    {
      ...{ id: authenticator.id, publicKey: expect.any(String), aaguid: '00000000-0000-0000-0000-000000000000' },
      ...{ transports: ['usb'], createdAt: expect.any(Number), name: 'Firefox on Linux', counter: 3 },
      ...{ lastUsedAt: undefined, isSyncable: true, isSynced: true },
    },
  ]);
  expect(app.logged().findLast(({ msg }) => msg === 'passkey added')).toMatchObject({
    ...{ person: tagOf(email), ip: expect.any(String) },
  });
});

test('what is there already is excluded, and a passkey is named after its provider', async () => {
  const { visitor } = await newMember(app);
  const first = await addPasskey(visitor, { aaguid: 'fbfc3007-154e-4ecc-8c0b-6e020557d7bd' });
  const options = readCreationOptions((await askToAdd(visitor)).text);
  expect(options.excludeCredentials).toEqual([
    { type: 'public-key', id: first.id, transports: ['internal', 'hybrid'] },
  ]);
  expect((await visitor.get('/passkeys')).text).toContain('<strong>Apple Passwords</strong>');
});

test('the owner of the address gets a mail, with a link that removes it and ends every session', async () => {
  const { visitor, email } = await newMember(app);
  const passkey = await addPasskey(visitor, { aaguid: 'ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4' });
  const { text = '', html } = await app.mails.mailTo(email, subjects.added);
  expect(text).toContain('Firefox on Linux added it to your address. It is stored in Google Password Manager.');
  const link = new URL(/https:\S+/.exec(text)?.[0] ?? '');
  expect(html).toContain(link.href);
  const reader = newVisitor(app);
  const page = await reader.get(link.pathname + link.search);
  expect(page.text).toContain('Remove this passkey?');
  // What opens links has changed nothing.
  expect((await signInWith(newVisitor(app), passkey)).status).toBe(200);
  const undone = await reader.post('/passkeys/undo', { form: { token: link.searchParams.get('token') ?? '' } });
  expect(undone.text).toContain('The passkey has been removed');
  expect((await visitor.get('/admin')).status).toBe(401);
  expect((await signInWith(newVisitor(app), passkey)).status).toBe(422);
  expect((await reader.get(link.pathname + link.search)).status).toBe(410);
});

test('a page that belongs to somebody else adds nothing, and neither does a challenge of theirs', async () => {
  const [ann, bob] = [await newMember(app), await newMember(app)];
  const options = readCreationOptions((await askToAdd(ann.visitor)).text);
  const answer = new Authenticator(origin).create(options);
  // Bob logs in in another tab of Ann's browser.
  const browser = ann.visitor.copy();
  const annsTag = tagIn(ann.visitor.sessionId);
  browser.cookies.set('__Host-session', bob.visitor.cookies.get('__Host-session') ?? '');
  expect((await askToAdd(browser, annsTag)).status).toBe(409);
  expect((await postJson(browser, '/passkeys', { owner: annsTag, credential: answer })).status).toBe(409);
  expect((await sendNew(browser, answer)).status).toBe(422);
  expect((await sendNew(ann.visitor, answer)).status).toBe(201);
});

test('a passkey that another address has is refused', async () => {
  const [ann, bob] = [await newMember(app), await newMember(app)];
  const anns = await addPasskey(ann.visitor);
  const thief = new Authenticator(origin);
  const answer = thief.create(readCreationOptions((await askToAdd(bob.visitor)).text), {
    credentialId: anns.passkey.id,
  });
  expect(JSON.parse((await sendNew(bob.visitor, answer)).text).error).toBe('This passkey has been added already.');
  expect((await signInWith(newVisitor(app), anns)).status).toBe(200);
});

describe('adding takes a login of at most ten minutes ago', () => {
  test('a page asks for one, and leads back', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { visitor } = await newMember(app);
    vi.setSystemTime(Date.now() + 599_000);
    expect((await visitor.get('/passkeys/add')).status).toBe(200);
    const answer = new Authenticator(origin).create(readCreationOptions((await askToAdd(visitor)).text));
    vi.setSystemTime(Date.now() + 2000);
    const refused = await visitor.get('/passkeys/add?next=/admin');
    expect(refused.status).toBe(401);
    expect(refused.text).toContain('Please log in again to continue.');
    expect(refused.text).toContain('name="next" value="/passkeys/add?next=/admin"');
    expect([(await askToAdd(visitor)).status, (await sendNew(visitor, answer)).status]).toEqual([401, 401]);
  });

  test('nobody else gets as far', async () => {
    const visitor = newVisitor(app);
    const statuses = [await visitor.get('/passkeys'), await visitor.get('/passkeys/add')].map(({ status }) => status);
    expect(statuses).toEqual([401, 401]);
    expect((await postJson(visitor, '/passkeys/options', { owner: '' })).status).toBe(401);
  });
});

test('an address has at most 20, however many come at once', async () => {
  const { visitor, email } = await newMember(app);
  const accounts = new Accounts(app.redis);
  const account = await accounts.prepare(address(email));
  const added = await Promise.all(Array.from({ length: 25 }, () => accounts.add(account, newPasskey())));
  expect(added.filter((outcome) => outcome === 'added')).toHaveLength(maxPasskeys);
  expect(added.filter((outcome) => outcome === 'full')).toHaveLength(25 - maxPasskeys);
  const { status, text } = await askToAdd(visitor);
  expect({ status, error: JSON.parse(text).error }).toEqual({
    status: 422,
    error: expect.stringContaining('20 passkeys'),
  });
  expect((await visitor.get('/passkeys')).text).toContain('20 passkeys are the most an address can have.');
});

test('an address that was taken off the list gets none', async () => {
  const { visitor } = await newMember(app, newAddress());
  const { mails } = app;
  const without = await startPasskeyApp({ redisAddress, mails, env: { ALLOWED_EMAILS: '@example.org' } });
  expect((await askToAdd(visitor.copy(without.url))).status).toBe(401);
});

// The outbox needs `zadd`, and passkeys don't; `sadd` is the last command of adding one.
test.each(['zadd', 'sadd'])('nothing is added when its owner could not be told (%s fails)', async (command) => {
  const full = await startPasskeyApp();
  const { visitor, email } = await newMember(full);
  const answer = new Authenticator(origin).create(readCreationOptions((await askToAdd(visitor)).text));
  await full.redis.sendCommand(['ACL', 'SETUSER', 'default', `-${command}`]);
  expect((await sendNew(visitor, answer)).status).toBe(503);
  await full.redis.sendCommand(['ACL', 'SETUSER', 'default', '+@all']);
  expect((await new Accounts(full.redis).load(address(email)))?.passkeys).toEqual([]);
});

test('a passkey stays if it is added a second time while Redis fails', async () => {
  const failing = await startPasskeyApp();
  const { visitor } = await newMember(failing);
  const added = await addPasskey(visitor);
  const options = readCreationOptions((await askToAdd(visitor)).text);
  const answer = new Authenticator(origin).create(options, { credentialId: added.passkey.id });
  await failing.redis.sendCommand(['ACL', 'SETUSER', 'default', '-sadd']);
  expect((await sendNew(visitor, answer)).status).toBe(503);
  await failing.redis.sendCommand(['ACL', 'SETUSER', 'default', '+@all']);
  expect((await signInWith(newVisitor(failing), added)).status).toBe(200);
});

describe('after a sign-in by code', () => {
  async function signInByCode(visitor: Visitor, { isScript = false } = {}) {
    const email = newAddress();
    await askForCode(visitor, email, { next: '/admin?n=1' });
    const headers: Record<string, string> = isScript ? { Accept: 'application/json' } : {};
    return enterCode(visitor, await app.mails.codeFor(email), headers);
  }

  test('a browser that has passkeys is led to the offer, once, and from there to where it was going', async () => {
    const visitor = newVisitor(app);
    await askToSignIn(visitor);
    const { location } = await signInByCode(visitor);
    expect(location).toBe('/passkeys/add?next=%2Fadmin%3Fn%3D1');
    expect((await visitor.get(location ?? '')).text).toContain('<a class="button" href="/admin?n=1">Not now</a>');
    expect((await signInByCode(visitor)).location).toBe('/admin?n=1');
  });

  test('any other browser goes where it was going, and so does a script', async () => {
    expect((await signInByCode(newVisitor(app))).location).toBe('/admin?n=1');
    const script = newVisitor(app);
    await askToSignIn(script);
    expect(JSON.parse((await signInByCode(script, { isScript: true })).text)).toEqual({
      status: 'done',
      next: '/admin?n=1',
    });
  });

  test('a code that comes from another tab, long after the sign-in, is no reason to log in again', async () => {
    const { visitor } = await newMember(app);
    await askToSignIn(visitor);
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() + 601_000);
    expect((await enterCode(visitor, '12345678')).location).toBe('/admin');
  });

  test('a clock that has been set back is no reason to log in again', async () => {
    const { visitor } = await newMember(app);
    await askToSignIn(visitor);
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() - 601_000);
    expect((await enterCode(visitor, '12345678')).location).toBe('/admin');
  });

  test('the offer leads to paths of this site only', async () => {
    const { visitor } = await newMember(app);
    const { text } = await visitor.get('/passkeys/add?next=//evil.example');
    expect(text).toContain('<a class="button" href="/admin">Not now</a>');
    expect(text).not.toContain('evil.example');
  });
});

describe('a new passkey is refused', () => {
  const { x = '', y = '' } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
  const hostile: [string, Claims][] = [
    ['from another origin', { origin: 'https://evil.example' }],
    ['for another relying party', { rpId: 'example.com' }],
    ['of another type', { type: 'webauthn.get' }],
    ['from an embedded page', { crossOrigin: true }],
    ['from a page in another one', { topOrigin: 'https://evil.example' }],
    ['without user verification', { flags: ['up', 'be', 'bs'] }],
    ['without user presence', { flags: ['uv', 'be', 'bs'] }],
    ['with a challenge of its own', { challenge: 'A'.repeat(70) }],
    ['of another algorithm', { alg: -47 }],
    [
      'with an algorithm that is no number',
      {
        key: new Map<number, unknown>([
          [1, 2],
          [3, 'ES256'],
        ]),
      },
    ],
    ['with a key of another algorithm', { key: new Map<number, unknown>([...ecKey(x, y), [3, -257]]) }],
    ['with a key on no curve', { key: ecKey(y, x) }],
    ['without a key', { key: new Map() }],
    ['with an id that is too short', { credentialId: Buffer.from('short') }],
    ['with an id that is too long', { credentialId: Buffer.alloc(1500, 1) }],
  ];
  test.each(hostile)('%s', async (_name, claims) => {
    const { visitor, email } = await newMember(app);
    const answer = new Authenticator(origin).create(readCreationOptions((await askToAdd(visitor)).text), claims);
    const { status } = await sendNew(visitor, answer);
    expect(status).toBe(422);
    expect((await new Accounts(app.redis).load(address(email)))?.passkeys).toEqual([]);
  });

  const truncate = (bytes: number) => (answer: Answer) => {
    const whole = Buffer.from(String(answer.response.attestationObject), 'base64url');
    return withAttestation(answer, whole.subarray(0, whole.length - bytes).toString('base64url'));
  };
  const spoilt: [string, (answer: Answer) => unknown][] = [
    ['with CBOR that lacks a byte', truncate(1)],
    ['with CBOR that lacks most', truncate(150)],
    [
      'with CBOR that says it is huge',
      (answer) => withAttestation(answer, Buffer.from('bbffffffffffffffff', 'hex').toString('base64url')),
    ],
    ['with CBOR a thousand deep', (answer) => withAttestation(answer, Buffer.alloc(5000, 0x81).toString('base64url'))],
    ['with CBOR that is a number', (answer) => withAttestation(answer, Buffer.from('01', 'hex').toString('base64url'))],
    ['with an id that is not in it', (answer) => ({ ...answer, id: 'B'.repeat(43), rawId: 'B'.repeat(43) })],
    ['that is nothing', () => undefined],
    ['that is a text', () => 'credential'],
  ];
  test.each(spoilt)('%s', async (_name, spoil) => {
    const { visitor, email } = await newMember(app);
    const answer = new Authenticator(origin).create(readCreationOptions((await askToAdd(visitor)).text));
    expect((await sendNew(visitor, spoil(answer))).status).toBe(422);
    expect((await new Accounts(app.redis).load(address(email)))?.passkeys).toEqual([]);
    // Its challenge is still good.
    expect((await sendNew(visitor, answer)).status).toBe(201);
  });

  test('the second time', async () => {
    const { visitor } = await newMember(app);
    const answer = new Authenticator(origin).create(readCreationOptions((await askToAdd(visitor)).text));
    const visits = await Promise.all(Array.from({ length: 20 }, () => sendNew(visitor.copy(), answer)));
    expect(visits.filter(({ status }) => status === 201)).toHaveLength(1);
  });
});

test('an attestation that comes unasked is not looked at: nothing is fetched for it', async () => {
  const asked: string[] = [];
  const server = createServer((req, res) => {
    asked.push(req.url ?? '');
    res.end();
  });
  const url = await listenLocally(server);
  const { visitor } = await newMember(app);
  const certificate = new Uint8Array(Buffer.from(`${url}/revoked.crl`));
  await addPasskey(visitor, {
    fmt: 'packed',
    attStmt: new Map<string, unknown>([
      ['alg', -7],
      ['sig', certificate],
      ['x5c', [certificate]],
    ]),
  });
  server.close();
  expect(asked).toEqual([]);
});

function withAttestation(answer: Answer, attestationObject: string): Answer {
  return { ...answer, response: { ...answer.response, attestationObject } };
}
