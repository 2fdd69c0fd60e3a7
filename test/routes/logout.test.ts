import { describe, expect, test } from 'vitest';
import { handleOf } from '../../src/session/session-id.ts';
import { startApp } from '../support/app.ts';
import { ask, signedIn } from '../support/client.ts';
import { countKeys } from '../support/commands.ts';

const { url, redis, logged } = await startApp();

/** What a browser sends when it is taken to a page; ASVS 3.5.3 asks to check all of it. */
const navigation = { 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document', 'Sec-Fetch-User': '?1' };

describe('POST /logout', () => {
  // ASVS 7.4.1, 14.3.1
  test('ends the session in Redis, clears the cookie and redirects to the home page', async () => {
    const visitor = await signedIn(url);
    const [before, copy, id] = [await countKeys(redis), visitor.copy(), visitor.sessionId];
    const { status, location, setCookies, headers } = await visitor.post('/logout');
    expect([status, location]).toEqual([303, '/']);
    const [cleared = '', ...more] = setCookies;
    expect(cleared).toContain('; Max-Age=0;'); // feature: cookie-max-age
    expect(cleared.replace(' Max-Age=0;', '')).toBe(
      'session=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax',
    );
    expect(more).toEqual([]);
    expect(headers.get('Clear-Site-Data')).toBe('"storage"');
    expect(await countKeys(redis)).toBeLessThan(before);
    expect((await copy.get('/admin')).status).toBe(401);
    expect(logged()).toContainEqual(expect.objectContaining({ msg: 'signed out', session: handleOf(id) }));
  });

  test('redirects a signed-out visitor to the home page, and sets nothing', async () => {
    const { headers } = await ask(url, 'post', '/logout').expect(303).expect('Location', '/');
    expect(headers['set-cookie']).toBeUndefined();
  });
});

describe('GET /logout', () => {
  test('redirects a signed-out visitor to the home page', async () => {
    await ask(url, 'get', '/logout').expect(303).expect('Location', '/');
    await ask(url, 'get', '/logout')
      .set({ ...navigation, 'Sec-Fetch-Site': 'cross-site' })
      .expect(303);
  });

  test.each([
    ['a link of this site', { ...navigation, 'Sec-Fetch-Site': 'same-origin' }],
    ['a typed address or a bookmark', { ...navigation, 'Sec-Fetch-Site': 'none' }],
    ['a client without Fetch Metadata', {}],
    ['an old browser that comes from a page of this site', { Referer: `${url}/admin` }],
  ])('ends the session for %s', async (_, headers) => {
    const visitor = await signedIn(url);
    await ask(url, 'get', '/logout', visitor)
      .set(headers)
      .expect(303)
      .expect('Location', '/')
      .expect('Set-Cookie', /^session=;/);
    expect((await visitor.get('/admin')).status).toBe(401);
  });

  test.each(['https://evil.example/', 'null', 'about:blank', `${url}.evil.example/`])(
    'offers a button to an old browser without Fetch Metadata that comes from elsewhere: %s',
    async (referer) => {
      const visitor = await signedIn(url);
      const page = await ask(url, 'get', '/logout', visitor).set('Referer', referer).expect(200);
      expect(page.text).toContain('<button');
      expect((await visitor.get('/admin')).status).toBe(200);
    },
  );

  test('recognizes its own site by BASE_URL, whatever host a proxy asks for', async () => {
    const env = { BASE_URL: 'https://login.example.com', TRUST_PROXY: '1' };
    const proxied = await startApp({ env, config: { production: true } });
    const visitor = await signedIn(proxied.url, 'ann@example.com', { 'X-Forwarded-Proto': 'https' });
    const headers = { 'X-Forwarded-Proto': 'https', Host: 'internal:3000' };
    const from = (referer: string) => ask(proxied.url, 'get', '/logout', visitor).set({ ...headers, Referer: referer });
    await from('http://login.example.com/admin').expect(200);
    await from('https://login.example.com/admin').expect(303);
  });

  // https://www.w3.org/TR/fetch-metadata/ : all that is no navigation of the visitor's own making.
  const sites = ['same-origin', 'same-site', 'cross-site', 'none', undefined];
  const modes = ['navigate', 'no-cors', 'cors', 'same-origin', 'websocket', undefined];
  const destinations = ['document', 'iframe', 'frame', 'embed', 'object', 'image', 'script', 'empty', undefined];
  const combinations = sites.flatMap((site) =>
    modes.flatMap((mode) => destinations.map((destination) => ({ site, mode, destination }))),
  );
  const isOwn = ({ site, mode, destination }: (typeof combinations)[number]) =>
    (site === undefined && mode === undefined && destination === undefined) ||
    ((site === 'same-origin' || site === 'none') && mode === 'navigate' && destination === 'document');

  test(`offers a button instead for every other combination of site, mode and destination`, async () => {
    const visitor = await signedIn(url);
    const others = combinations.filter((combination) => !isOwn(combination));
    expect(others).toHaveLength(sites.length * modes.length * destinations.length - 3);
    for (const { site, mode, destination } of others) {
      const asked = ask(url, 'get', '/logout', visitor);
      if (site) asked.set('Sec-Fetch-Site', site);
      if (mode) asked.set('Sec-Fetch-Mode', mode);
      if (destination) asked.set('Sec-Fetch-Dest', destination);
      const { status } = await asked;
      expect({ site, mode, destination, status }).toEqual({ site, mode, destination, status: 200 });
    }
    expect((await visitor.get('/admin')).status).toBe(200);
  });

  test.each([
    { 'Sec-Purpose': 'prefetch' },
    { 'Sec-Purpose': 'prefetch;prerender' },
    { 'Sec-Purpose': 'prefetch;anonymous-client-ip' },
    { Purpose: 'prefetch' },
    { 'X-Moz': 'prefetch' },
    { Purpose: 'preview' },
  ])('changes nothing for a browser that prefetches: %j', async (ahead) => {
    const visitor = await signedIn(url);
    for (const metadata of [{}, { ...navigation, 'Sec-Fetch-Site': 'same-origin' }]) {
      await ask(url, 'get', '/logout', visitor)
        .set({ ...metadata, ...ahead })
        .expect(200);
    }
    expect((await visitor.get('/admin')).status).toBe(200);
  });

  test('changes nothing for HEAD', async () => {
    const visitor = await signedIn(url);
    await ask(url, 'head', '/logout', visitor).expect(200);
    await ask(url, 'head', '/logout', visitor)
      .set({ ...navigation, 'Sec-Fetch-Site': 'same-origin' })
      .expect(200);
    expect((await visitor.get('/admin')).status).toBe(200);
  });

  test('shows the address beside a button that posts, and is not stored', async () => {
    const { text } = await ask(url, 'get', '/logout', await signedIn(url))
      .set({ ...navigation, 'Sec-Fetch-Site': 'cross-site' })
      .expect(200)
      .expect('Cache-Control', 'no-store');
    expect(text).toContain('ann@example.com');
    expect(text).toMatch(/<main[\s\S]*<form[^>]* method="post" action="\/logout"/);
  });
});
