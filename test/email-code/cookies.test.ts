import { createServer } from 'node:http';
import express from 'express';
import { describe, expect, test } from 'vitest';
import { CodeCookies, type WaitingEntry } from '../../src/features/email-code/cookies.ts';
import { afterwards } from '../support/afterwards.ts';
import { listenLocally } from '../support/servers.ts';
import { Visitor } from '../support/visitor.ts';

const longPath = `/${'p'.repeat(1500)}`;

/** A site that does with its cookies what it is asked to, and answers with what it has read. */
async function cookieSite(https: boolean): Promise<string> {
  const cookies = new CodeCookies(https);
  const site = express().use(express.json());
  site.get('/', (req, res) => void res.json(cookies.readWaiting(req)));
  site.get('/earlier', (req, res) => {
    const id = cookies.readEarlier(req);
    if (id !== undefined) cookies.replaceEarlier(req, { id: `${'T'.repeat(14)}${id}`, next: longPath });
    res.json([id ?? null, cookies.readWaiting(req)]);
  });
  site.post('/add', (req, res) => {
    cookies.addWaiting(req, res, req.body);
    res.end();
  });
  site.post('/remove', (req, res) => {
    cookies.removeWaiting(req, res, req.body);
    res.end();
  });
  site.post('/device', (req, res) => {
    cookies.writeDevice(res, req.body.value);
    res.json(cookies.readDevice(req) ?? null);
  });
  const server = createServer(site);
  afterwards(() => server.close());
  return listenLocally(server);
}

const url = await cookieSite(false);
const httpsUrl = await cookieSite(true);

/** An id of the address with this letter. */
const idOf = (letter: string, random = 'r') => letter.repeat(14) + random.repeat(22);
const entry = (letter: string, next = '/admin', random = 'r'): WaitingEntry => ({ id: idOf(letter, random), next });

async function read(visitor: Visitor): Promise<WaitingEntry[]> {
  return JSON.parse((await visitor.get('/')).text);
}

async function withCookie(login: string): Promise<WaitingEntry[]> {
  return read(new Visitor(url, { Cookie: `login=${login}` }));
}

describe('the cookie of waiting sign-ins', () => {
  test('keeps at most five, the latest first, and one for each address', async () => {
    const visitor = new Visitor(url);
    for (const letter of 'abcdef') await visitor.post('/add', { json: entry(letter) });
    expect(await read(visitor)).toEqual([...'fedcb'].map((letter) => entry(letter)));
    expect(visitor.cookies.get('login')?.split('.')).toHaveLength(5);
    await visitor.post('/add', { json: entry('c', '/admin?tab=2', 's') });
    expect(await read(visitor)).toEqual([
      entry('c', '/admin?tab=2', 's'),
      ...[...'fedb'].map((letter) => entry(letter)),
    ]);
  });

  test('loses the addresses that are done, and is deleted after the last', async () => {
    const visitor = new Visitor(url);
    for (const letter of 'abc') await visitor.post('/add', { json: entry(letter) });
    await visitor.post('/remove', { json: ['b'.repeat(14), 'x'.repeat(14)] });
    expect(await read(visitor)).toEqual([entry('c'), entry('a')]);
    await visitor.post('/remove', { json: ['a'.repeat(14), 'c'.repeat(14)] });
    expect(visitor.cookies.has('login')).toBe(false);
  });

  test('keeps any path for the latest, and for others one that leaves room for it', async () => {
    const visitor = new Visitor(url);
    const pathOf = (bytes: number) => `/${'p'.repeat(bytes - 1)}`;
    // In base64url, 210 bytes take 280 characters.
    const [fits, tooLong, huge] = [pathOf(210), pathOf(211), longPath];
    await visitor.post('/add', { json: entry('a', fits) });
    await visitor.post('/add', { json: entry('b', tooLong) });
    await visitor.post('/add', { json: entry('c', huge) });
    expect((await read(visitor)).map(({ next }) => next)).toEqual([huge, '/admin', fits]);
    expect(visitor.cookies.get('login')).toBe(
      `${idOf('c')}~${Buffer.from(huge).toString('base64url')}.${idOf('b')}.${idOf('a')}~${Buffer.from(fits).toString('base64url')}`,
    );
  });

  test('ignores what is no entry, and what comes after the fifth', async () => {
    const [a, b] = [idOf('a'), idOf('b')];
    expect(await withCookie(`${a}.${b.slice(1)}.${b}x.${b}~.~x.${b}`)).toEqual([entry('a')]);
    expect(await withCookie(`${b}~*..${a}`)).toEqual([entry('a')]);
    expect(await withCookie(`x.x.x.x.${a}.${b}`)).toEqual([entry('a')]);
    expect(await withCookie(`${a}~${Buffer.from('//evil.example').toString('base64url')}`)).toEqual([entry('a')]);
    expect(await read(new Visitor(url))).toEqual([]);
  });

  test('lives as long as a code, for this site alone, out of reach of scripts', async () => {
    const attributes = 'Max-Age=600; Path=/; Expires=EXPIRES; HttpOnly; SameSite=Lax';
    const added = await new Visitor(url).post('/add', { json: entry('a') });
    expect(added.setCookies.map(withoutDate)).toEqual([`login=${idOf('a')}; ${attributes}`]);
    const secure = new Visitor(httpsUrl);
    const [cookie = ''] = (await secure.post('/add', { json: entry('a') })).setCookies;
    const secureAttributes = attributes.replace('HttpOnly;', 'HttpOnly; Secure;');
    expect(withoutDate(cookie)).toBe(`__Host-login=${idOf('a')}; ${secureAttributes}`);
    expect(await read(secure)).toEqual([entry('a')]);
    await secure.post('/remove', { json: ['a'.repeat(14)] });
    expect(secure.cookies.size).toBe(0);
  });
});

describe('the cookie by which browsers are known', () => {
  test.each([
    ['http', url, 'device', ''],
    ['https', httpsUrl, '__Host-device', ' Secure;'],
  ])('is read and written on a site by %s', async (_scheme, site, name, secure) => {
    const visitor = new Visitor(site);
    const [cookie = ''] = (await visitor.post('/device', { json: { value: 'v' } })).setCookies;
    const attributes = `Max-Age=34560000; Path=/; Expires=EXPIRES; HttpOnly;${secure} SameSite=Lax`;
    expect(withoutDate(cookie)).toBe(`${name}=v; ${attributes}`);
    expect((await visitor.post('/device', { json: { value: 'w' } })).text).toBe('"v"');
  });
});

describe('the cookie of version 0.1', () => {
  const earlier = async (login: string) =>
    JSON.parse((await new Visitor(url, { Cookie: `a=1; login=${login}; b=2` }).get('/earlier')).text);

  test('is 22 characters, and can be replaced for the rest of a request', async () => {
    const random = 'r'.repeat(22);
    expect(await earlier(random)).toEqual([random, [entry('T', longPath)]]);
  });

  test.each(['r'.repeat(21), 'r'.repeat(23), `${'r'.repeat(21)}*`, idOf('a')])('is not %s', async (login) => {
    expect((await earlier(login))[0]).toBeNull();
  });
});

function withoutDate(cookie: string): string {
  return cookie.replace(/Expires=[^;]+/, 'Expires=EXPIRES');
}
