import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { MailTemplates } from '../../src/features/email-code/mail-templates.ts';
import { formatTime } from '../../src/http/date-format.ts';
import { parseAddress } from '../../src/session/email-address.ts';
import { deliver, newSmtpClient } from '../mail/courier.ts';
import { codeIn } from '../mail/mail-server.ts';
import { ask } from '../support/client.ts';
import { anyText } from '../support/text.ts';
import { askForCode, enterCode, newAddress, newBrowser, newIp, signInByCode, startCodeApp } from './code-login.ts';

const app = await startCodeApp({ env: { SITE_NAME: 'Acme & Söhne' } });
const { url, mails } = app;
const siteName = 'Acme & Söhne';

describe('the mail with a code', () => {
  test('has it in the subject, and as text and HTML says what it is for, which browser asked and until when', async () => {
    const email = newAddress();
    const lapses = () => formatTime(Date.now() + 600_000);
    const earliest = lapses();
    await askForCode(newBrowser(url), email);
    const mail = await mails.mailTo(email, 'code');
    const code = codeIn(mail);
    const grouped = code.replace(/^(.{4})/, '$1 ');
    expect(mail.subject).toBe(`${grouped} is your code for ${siteName}`);
    expect(mail.from?.text).toBe('"Latchkey" <login@example.com>');
    const { text = '', html } = mail;
    for (const body of [text, (html || '').replaceAll('&amp;', '&')]) {
      expect(body).toContain(`Your code for ${siteName}`);
      expect(body).toContain(grouped);
      expect(body).toContain('Enter it in the browser where you asked for it (Firefox on Linux).');
      expect([earliest, lapses()].some((time) => body.includes(`It works once, for ten minutes: until ${time}.`))).toBe(
        true,
      );
      expect(body).toContain('Nobody will ask you for this code');
      expect(body).toContain('If you did not ask for it, ignore this mail');
    }
  });

  test('goes to the one address, and names no other', async () => {
    const email = newAddress();
    await askForCode(newBrowser(url), email);
    const { headers } = await mails.mailTo(email, 'code');
    expect(mails.inbox.at(-1)).toMatchObject({ to: [email], from: 'login@example.com' });
    expect([headers.has('cc'), headers.has('bcc'), headers.has('reply-to')]).toEqual([false, false, false]);
  });

  // Mail scanners open links, and servers on the way write them down: the code is where neither sees it.
  test('has one link, with the code in its fragment alone, and opening it consumes nothing', async () => {
    const email = newAddress();
    const browser = newBrowser(url);
    await askForCode(browser, email);
    const mail = await mails.mailTo(email, 'code');
    const code = codeIn(mail);
    const links = [...`${mail.text}\n${mail.html || ''}`.matchAll(/https?:[^\s"<]+/g)].map(([link]) => link);
    expect(new Set(links)).toEqual(new Set([`${url}/login/code#${code}`]));
    const { pathname, search, hash } = new URL(links[0] ?? '');
    expect([pathname, search, hash]).toEqual(['/login/code', '', `#${code}`]);
    for (let times = 1; times <= 20; times += 1) await newBrowser(url).get(pathname);
    expect((await enterCode(browser, code)).status).toBe(303);
  });

  test('says nothing of where the visitor wants to go, nor of the visitor', async () => {
    const email = newAddress();
    const ip = newIp();
    await askForCode(newBrowser(url, { 'X-Forwarded-For': ip }), email, { next: '/admin?secret=1' });
    const mail = await mails.mailTo(email, 'code');
    const all = JSON.stringify([mail.subject, mail.text, mail.html, [...mail.headerLines]]);
    for (const other of ['secret', ip]) expect(all).not.toContain(other);
  });
});

// Whoever asks for a code chooses these, and somebody else gets the mail.
describe('what a stranger writes does not come into the mail', () => {
  test.each([
    'Your account is lost, call evil.example/now please',
    'Call-now/http://evil.example/x yes',
    'evil.example (x) y/1 (z) ',
    '<script>alert(1)</script>/1 y',
    'Mozilla/5.0 (compatible; see evil.example; Windows NT 10.0)',
    'evil.example on Windows/1 x',
    `${'evil.example '.repeat(50)}/1 x`,
  ])('as User-Agent: %j', async (userAgent) => {
    const email = newAddress();
    const browser = newBrowser(url, { 'User-Agent': userAgent });
    await signInByCode(app, browser, email);
    for (const kind of ['code', 'notice'] as const) {
      const { subject, text, html } = await mails.mailTo(email, kind);
      // Random letters may spell anything.
      const said = JSON.stringify([subject, text, html]).replace(/token=[\w-]+/g, '');
      expect(said).not.toMatch(/evil|script|call/i);
      expect(text).toMatch(/Unknown browser|Mozilla/);
    }
  });

  // feature: allowed-hosts
  const hosts = [
    ['Host', 'evil.example'],
    ['Host', '127.0.0.1.evil.example'],
    ['Host', 'localhost@evil.example'],
    ['Host', 'localhost:80@evil.example'],
    ['Host', 'evil.example#localhost'],
    ['Host', '%zz'],
    ['Host', 'a b'],
    ['Host', 'localhost:99999'],
    ['Host', '['],
    ['X-Forwarded-Host', 'evil.example'], // feature: proxy-headers
    ['X-Forwarded-Proto', 'javascript'], // feature: proxy-headers
  ] as const;
  const statusOf = (header: string) => (header === 'X-Forwarded-Proto' ? 400 : 421);
  test.each(hosts)('as %s: %s, with which no code is mailed', async (header, value) => {
    const before = mails.inbox.length;
    const forged = { 'X-Forwarded-For': newIp(), [header]: value };
    const { status } = await ask(url, 'post', '/login').type('form').set(forged).send({ email: newAddress() });
    expect(status).toBe(statusOf(header));
    expect(mails.inbox).toHaveLength(before);
  });
  // end: allowed-hosts

  test('nor as a host beside the one of BASE_URL', async () => {
    const env = { BASE_URL: 'https://login.example.com' };
    const public_ = await startCodeApp({ mails, env, config: { production: true } });
    const email = newAddress();
    const proxied = { 'X-Forwarded-For': newIp(), 'X-Forwarded-Proto': 'https' };
    const forged = { ...proxied, 'X-Forwarded-Host': 'evil.example', Host: 'localhost' };
    await ask(public_.url, 'post', '/login').type('form').set(forged).send({ email }).expect(303);
    const mail = await mails.mailTo(email, 'code');
    expect(mail.subject).toBe(`${codeIn(mail).replace(/^(.{4})/, '$1 ')} is your code for ${readConfig({}).siteName}`);
    expect(mail.text).toContain('https://login.example.com/login/code#');
    expect(mail.text).not.toMatch(/evil|localhost/);
  });

  test.each([
    'ann@example.com\r\nBcc: eve@evil.example',
    'ann@example.com, eve@evil.example',
    'Eve <eve@evil.example>',
  ])('as an address that is more than one: %j', async (email) => {
    const before = mails.inbox.length;
    expect((await askForCode(newBrowser(url), email)).status).toBe(422);
    expect(mails.inbox).toHaveLength(before);
  });
});

describe('an address', () => {
  const client = newSmtpClient({ port: mails.port });

  test('gets its own mail or none, whatever it looks like: nobody else gets the code', async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'evil@evil.example',
        '<',
        '>',
        '\\"',
        '\\\\',
        '\\ ',
        ' ',
        ',',
        ';',
        ':',
        '(',
        ')',
        '@',
        "'",
        'ü',
        'ann',
      ),
      anyText.map((text) => text.slice(0, 3)),
    );
    const local = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(''));
    const address = fc.oneof(
      local.map((text) => `"${text}"@example.com`),
      local.map((text) => `${text}@example.com`),
    );
    await fc.assert(
      fc.asyncProperty(address, async (typed) => {
        const parsed = parseAddress(typed);
        if ('problem' in parsed) return;
        const before = mails.inbox.length;
        const { email } = parsed;
        await deliver(client, { to: email });
        expect(
          mails.inbox
            .slice(before)
            .flatMap(({ to }) => to)
            .filter((to) => to !== email),
        ).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  test.each(['"a,b"@example.com', String.raw`"a\"b"@example.com`, '"(ann)"@example.com', "o'neil+x=1/2@example.com"])(
    'that is unusual gets its mail: %s',
    async (email) => {
      const browser = newBrowser(url);
      await signInByCode(app, browser, email);
      expect((await browser.get('/')).text).toContain('You are signed in as');
    },
  );
});

test('the notice has a button that ends the session, and says what else to do', () => {
  const about = { to: 'ann@example.com', device: 'Firefox on Linux', now: 0 };
  const endUrl = 'https://login.example.com/end-session?token=t';
  const notice = new MailTemplates(siteName).notice({ ...about, endUrl });
  expect(notice.html).toMatch(
    /<a [^>]*href="https:\/\/login\.example\.com\/end-session\?token=t"[^>]*>End that session<\/a>/,
  );
  for (const body of [notice.text, notice.html]) expect(body).toContain('Then find out who else can read your mail');
  const proof = { means: 'a key', advice: 'Then remove the key.' };
  const { text } = new MailTemplates(siteName).notice({ ...about, endUrl, proof });
  expect(text).toContain('Firefox on Linux signed in with a key on Thu, 1 Jan 1970, 00:00 UTC.');
  expect(text).toContain('Then remove the key.');
});
