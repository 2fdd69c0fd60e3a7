import { describe, expect, test } from 'vitest';
import { safeReturnPath } from '../../src/http/return-path.ts';
import { startApp } from '../support/app.ts';
import { ask, clients, signedIn } from '../support/client.ts';
import { addresses, harmlessLike, markupOf, payloads, readAsText } from '../support/escaping.ts';
import { Visitor } from '../support/visitor.ts';

// ASVS 3.2.1 to 3.2.3: whatever comes from outside is text in the page.
const { url } = await startApp();

describe('a hostile address, signed in', () => {
  test('is accepted in most of its forms', () => {
    expect(addresses.length).toBeGreaterThan(9);
  });

  test.each(addresses)('%j is text on every page', async (address) => {
    const hostile = await signedIn(url, address);
    const harmless = await signedIn(url, harmlessLike(address));
    for (const path of ['/', '/admin', '/logout', '/nowhere']) {
      const [page, expected] = [await hostile.get(path), await harmless.get(path)];
      expect(markupOf(page.text)).toEqual(markupOf(expected.text));
      if (path !== '/nowhere') expect(readAsText(page.text)).toContain(address);
    }
    await harmless.post('/logout');
  });
});

describe.each(payloads)('%j', (payload) => {
  test('is text where it was typed as an address', async () => {
    const typed = (email: string) => new Visitor(url).post('/login', { form: { email } });
    const page = await typed(payload);
    expect(page.status).toBe(422);
    expect(markupOf(page.text)).toEqual(markupOf((await typed('harmless')).text));
    expect(readAsText(page.text)).toContain(payload);
  });

  test('is text where it says where to go next', async () => {
    const path = (next: string) => `/login?next=${encodeURIComponent(`/?${next}`)}`;
    const page = await ask(url, 'get', path(payload)).expect(200);
    expect(markupOf(page.text)).toEqual(markupOf((await ask(url, 'get', path('harmless'))).text));
    const [, value = ''] = /name="next" value="([^"]*)"/.exec(page.text) ?? [];
    expect(readAsText(value)).toBe(safeReturnPath(`/?${payload}`));
    const form = await new Visitor(url).post('/login', { form: { email: 'x', next: `/?${payload}` } });
    expect(markupOf(form.text)).toEqual(
      markupOf((await new Visitor(url).post(path('x'), { form: { email: 'x' } })).text),
    );
  });

  test('is text where it is part of an address that needs a login, or that is not there', async () => {
    for (const path of ['/admin?', '/admin/', '/nowhere/', '/%zz']) {
      const page = await ask(url, 'get', path + encodeURI(payload)).set(clients.html);
      const expected = await ask(url, 'get', `${path}harmless`).set(clients.html);
      expect(markupOf(page.text)).toEqual(markupOf(expected.text));
    }
  });

  test('is not shown of a browser that it names', async () => {
    const header = payload.replace(/[^\x20-\x7e]/g, '');
    const named = async (agent: string) => {
      const visitor = new Visitor(url, { 'User-Agent': agent });
      await visitor.signIn(`agent-${crypto.randomUUID()}@example.com`);
      return visitor.get('/admin');
    };
    const page = await named(`Mozilla/5.0 (${header}) ${header}/1.0`);
    expect(markupOf(page.text)).toEqual(markupOf((await named('harmless')).text));
  });
});
