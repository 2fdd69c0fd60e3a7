import { describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { ask, clients, signedIn } from '../support/client.ts';
import { countKeys } from '../support/commands.ts';
import { Visitor } from '../support/visitor.ts';

const { url, redis, logged } = await startApp();

/** The e-mail field of a page, as a list of its attributes. */
function emailField(page: string): Record<string, string> {
  const [tag = ''] = /<input id="email"[^>]*>/.exec(page) ?? [];
  return Object.fromEntries(
    [...tag.matchAll(/([a-z-]+)(?:="([^"]*)")?(?=[\s>])/g)].map(([, name, value]) => [name, value]),
  );
}

describe('a bad address', () => {
  test('brings the form back, its message tied to the field, the typed text kept and the focus there', async () => {
    const visitor = new Visitor(url);
    const { status, text } = await visitor.post('/login', { form: { email: ' ann example ', remember: 'on' } });
    expect(status).toBe(422);
    const field = emailField(text);
    expect(field).toMatchObject({
      value: ' ann example ',
      'aria-invalid': 'true',
      'aria-describedby': 'email-problem',
    });
    expect(field).toHaveProperty('autofocus');
    expect(text).toMatch(/<p[^>]* id="email-problem" role="alert">That is not an e-mail address\. [^<]+<\/p>/);
    expect(text).toMatch(/<input type="checkbox" name="remember" checked>/);
  });

  test('keeps where to go next', async () => {
    const { text } = await new Visitor(url).post('/login', { form: { email: 'x', next: '/a?b' } });
    expect(text).toContain('<input type="hidden" name="next" value="/a?b">');
  });

  test.each([
    ['', 'Enter your e-mail address.'],
    ['   ', 'Enter your e-mail address.'],
    ['ann', 'That is not an e-mail address. It should look like name@example.com.'],
    [
      `${'a'.repeat(255)}@example.com`,
      'That address is too long. It can have up to 254 characters, or fewer with letters like é.',
    ],
  ])('%j is told to text and JSON clients in one line', async (email, problem) => {
    const login = () => ask(url, 'post', '/login').type('form').send({ email });
    await login()
      .set(clients.text)
      .expect(422, `${problem}\n`)
      .expect('Content-Type', /^text\/plain/);
    await login().set(clients.json).expect(422, { error: problem, field: 'email' });
  });

  test('sets no cookie and stores nothing', async () => {
    const before = await countKeys(redis);
    const { headers } = await ask(url, 'post', '/login').type('form').send({ email: 'x' }).expect(422);
    expect(headers['set-cookie']).toBeUndefined();
    expect(await countKeys(redis)).toBe(before);
  });

  test('leaves somebody signed in as they are', async () => {
    const visitor = await signedIn(url);
    expect((await visitor.post('/login', { form: { email: 'x' } })).status).toBe(422);
    expect((await visitor.get('/admin')).text).toContain('Hello ann@example.com');
  });

  test('is told to the log without what was typed', async () => {
    await ask(url, 'post', '/login').type('form').send({ email: 'typed by mistake' }).expect(422);
    expect(logged()).toContainEqual(expect.objectContaining({ msg: 'sign-in refused', reason: 'not an address' }));
    expect(JSON.stringify(logged())).not.toContain('typed by mistake');
  });
});

describe('a good address', () => {
  test('is one identity, however it is typed', async () => {
    for (const email of ['Ann.Lee@Example.COM', '  ann.lee@example.com ', 'ann.lee@EXAMPLE.com']) {
      const visitor = await signedIn(url, email);
      expect((await visitor.get('/admin')).text).toContain('Hello ann.lee@example.com<');
    }
    const visitor = await signedIn(url, 'ann.lee@example.com');
    expect((await visitor.get('/admin')).text.match(/name="session"/g)).toHaveLength(3);
  });

  test.each([
    ['"<script>"@example.com', '&#34;&lt;script&gt;&#34;@example.com'],
    ["o'neil@example.com", 'o&#39;neil@example.com'],
    ['a&b@example.com', 'a&amp;b@example.com'],
    ['用户@example.com', '用户@example.com'],
  ])('%s is greeted as text', async (email, escaped) => {
    expect((await (await signedIn(url, email)).get('/admin')).text).toContain(`>Hello ${escaped}</h1>`);
  });
});
