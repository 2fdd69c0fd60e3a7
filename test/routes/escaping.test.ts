import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { MailTemplates } from '../../src/features/email-code/mail-templates.ts';
import type { Mail } from '../../src/features/mail/mailer.ts';
import { safeReturnPath } from '../../src/http/return-path.ts';
import { parseAddress } from '../../src/session/email-address.ts';
import { askForCode, enterCode, newBrowser, startCodeApp } from '../email-code/code-login.ts';
import { catchIn } from '../mail/caught-mails.ts';
import { startApp } from '../support/app.ts';
import { ask, clients, signedIn } from '../support/client.ts';
import { Visitor } from '../support/visitor.ts';

// ASVS 3.2.1 to 3.2.3: whatever comes from outside is text in the page.
const { url } = await startApp();

const payloads = [
  '<script>alert(1)</script>',
  '</title><script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  "'><svg/onload=alert(1)>",
  '" autofocus onfocus=alert(1) x="',
  '"><form action=//evil.example>',
  '</textarea></style><b>',
  '<!--',
  '&lt;b&gt;&#60;b&#62;&quot;',
  '<%= 7*7 %>',
  '<%- include("admin") %>',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a template is what it tries to be
  '${7*7}{{7*7}}#{7*7}',
  'javascript:alert(1)',
  '\u2028<b>',
];

/** The tags of a page with the names of their attributes: what text can't change as long as it is text. */
function markupOf(page: string): string[] {
  return [...page.matchAll(/<[^>]*>/g)].map(([tag]) => tag.replace(/"[^"]*"/g, '""'));
}

function readAsText(html: string): string {
  const characters: Record<string, string> = { lt: '<', gt: '>', amp: '&', '#34': '"', '#39': "'" };
  return html.replace(/&(lt|gt|amp|#34|#39);/g, (_, name: string) => characters[name] ?? '');
}

/** Of the same length, because a view may set long addresses in smaller letters. */
function harmlessLike(address: string): string {
  return '@y.example'.padStart(address.length, 'a');
}

const addresses = payloads.flatMap((payload) => {
  const parsed = parseAddress(`"${payload.replace(/["\\]/g, '\\$&')}"@x.example`);
  return 'email' in parsed ? [parsed.email] : [];
});

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

const caughtMails: Mail[] = [];
const byCode = await startCodeApp();
const catching = await startApp({ env: { SIGN_IN: 'code' }, development: catchIn(caughtMails) });
const writer = new MailTemplates(fileURLToPath(new URL('../../views', import.meta.url)), 'Latchkey');

/** The pages of sign-in by code that show an address: where it waits, after one wrong code, after five. */
async function codePages(email: string): Promise<string[]> {
  const browser = newBrowser(byCode.url);
  await askForCode(browser, email);
  const pages = [await browser.get('/login/code')];
  for (let tries = 1; tries <= 5; tries += 1) pages.push(await enterCode(browser, '00000000'));
  expect(pages.map(({ status }) => status)).toEqual([200, 422, 422, 422, 422, 422]);
  expect(browser.cookies.has('login')).toBe(false);
  return [pages.at(0), pages.at(1), pages.at(-1)].map((page) => page?.text ?? '');
}

/** What `/dev/mails` shows when this address alone has got mail. */
async function mailPage(to: string): Promise<string> {
  const about = { to, device: 'Firefox on Linux', origin: 'https://login.example.com', now: 0 };
  const endUrl = `${about.origin}/end-session?token=${'t'.repeat(22)}`;
  caughtMails.splice(0, 2, writer.code({ code: '12345678', ...about }), writer.notice({ endUrl, ...about }));
  return (await newBrowser(catching.url).get('/dev/mails')).text;
}

describe('a hostile address, signing in by code', () => {
  test.each(addresses)('%j is text on every page', async (address) => {
    const harmless = harmlessLike(address);
    const pages = [...(await codePages(address)), await mailPage(address)];
    const expected = [...(await codePages(harmless)), await mailPage(harmless)];
    expect(pages.map(markupOf)).toEqual(expected.map(markupOf));
    for (const page of pages) expect(readAsText(page)).toContain(address);
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
