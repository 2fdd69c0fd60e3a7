import { gzipSync } from 'node:zlib';
import express from 'express';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bodyField } from '../../src/middleware/bodies.ts';
import { startApp } from '../support/app.ts';
import { ask, clients, type Method, signedIn } from '../support/client.ts';
import { countKeys } from '../support/commands.ts';
import { connect } from '../support/process.ts';
import { keepOutOfLogs } from '../support/secrets.ts';
import { anyText } from '../support/text.ts';
import { type VisitOptions, Visitor } from '../support/visitor.ts';

const { url, redis, logged } = await startApp();
const form = 'application/x-www-form-urlencoded';
const json = 'application/json';
const signIn = 'email=ann%40example.com';

function send(type: string | undefined, body: VisitOptions['body'], headers: Record<string, string> = {}) {
  return new Visitor(url).post('/login', {
    headers: { ...clients.text, ...(type !== undefined && { 'Content-Type': type }), ...headers },
    ...(body !== undefined && { body }),
  });
}

describe('a form', () => {
  test.each([form, `${form}; charset=utf-8`, `${form};charset="UTF-8"`, form.toUpperCase()])(
    'is read as %s',
    async (type) => {
      expect((await send(type, signIn)).status).toBe(200);
    },
  );

  test.each(['identity', 'Identity', ''])('is read with Content-Encoding: %j', async (encoding) => {
    expect((await send(form, signIn, { 'Content-Encoding': encoding })).status).toBe(200);
  });

  test.each([
    ['no body', undefined, undefined],
    ['no body, announced as a form', form, undefined],
    ['an empty form', form, ''],
    ['other fields only', form, 'name=ann&pass=x'],
    ['the field twice', form, 'email=a@example.com&email=b@example.com'],
    ['a field of an array', form, 'email[]=a@example.com'],
    ['a field of an object', form, 'email[address]=a@example.com'],
    ['a field of the prototype', form, '__proto__[email]=a@example.com&constructor[prototype][email]=b@example.com'],
    ['bytes that are not UTF-8', form, new Uint8Array([0xff, 0xfe, 0x3d, 0xc3, 0x28])],
    ['broken escapes', form, 'email=%zz%'],
    ['an empty object', json, '{}'],
    ['an empty list', json, '[]'],
    ['a list', json, '[{"email":"a@example.com"}]'],
    ['a number for the address', json, '{"email":7}'],
    ['null for the address', json, '{"email":null}'],
    ['a list for the address', json, '{"email":["a@example.com"]}'],
    ['an object for the address', json, '{"email":{"address":"a@example.com"}}'],
    ['an object with a method', json, '{"email":{"toString":"x","trim":"y","length":1}}'],
    ['the address in the prototype', json, '{"__proto__":{"email":"a@example.com"}}'],
    ['the address in the constructor', json, '{"constructor":{"prototype":{"email":"a@example.com"}}}'],
    ['half a letter', json, '{"email":"\\ud800@example.com"}'],
  ])('is sent back with 422 for %s', async (_, type, body) => {
    const { status, text, setCookies } = await send(type, body);
    expect([status, setCookies]).toEqual([422, []]);
    expect(text).toMatch(/^(Enter your e-mail address|That is not an e-mail address)\.[^\n]*\n$/);
  });

  test('does not pollute prototypes', async () => {
    await send(json, '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"email":"a@example.com"}');
    await send(form, '__proto__[polluted]=1&__proto__.polluted=1&email=a@example.com');
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });

  test('ignores next and remember of the wrong type', async () => {
    const visitor = new Visitor(url);
    const { status, text } = await visitor.post('/login', {
      json: { email: 'odd@example.com', next: ['/x'], remember: { on: 1 } },
      headers: clients.json,
    });
    expect([status, JSON.parse(text).next]).toEqual([200, '/admin']);
    expect(visitor.cookies.size).toBe(1);
  });
});

describe('a body that is refused', () => {
  test.each([
    ['broken JSON', 400, json, '{"email":'],
    ['JSON that is not an object', 400, json, '"ann@example.com"'],
    ['null as JSON', 400, json, 'null'],
    ['JSON with trailing content', 400, json, '{} {}'],
    ['bytes for JSON', 400, json, new Uint8Array([0xff, 0x00, 0x80])],
    ['garbage said to be gzip', 415, form, signIn],
    ['a form of 1 MB', 413, form, `email=${'a'.repeat(1_000_000)}`],
    ['JSON of 1 MB', 413, json, `{"email":"${'a'.repeat(1_000_000)}"}`],
    ['a form of a thousand fields', 413, form, 'a=1&'.repeat(1000)],
    [
      'a form that grows to 1 MB when it is unpacked',
      415,
      form,
      new Uint8Array(gzipSync(`email=${'a'.repeat(1_000_000)}`)),
    ],
    ['plain text', 415, 'text/plain', signIn],
    ['a form with files', 415, 'multipart/form-data; boundary=x', '--x\r\n\r\n--x--\r\n'],
    ['XML', 415, 'application/xml', '<email/>'],
    ['a kind of JSON', 415, 'application/vnd.api+json', '{}'],
    ['a malformed type', 415, ';;;', signIn],
    ['a form in an unknown charset', 415, `${form}; charset=klingon`, signIn],
    ['a form in UTF-16', 415, `${form}; charset=utf-16`, signIn],
    ['JSON in an unknown charset', 415, `${json}; charset=klingon`, '{}'],
    ['JSON in a charset that begins like UTF', 415, `${json}; charset=utf-klingon`, '{}'],
    ['an unknown encoding', 415, form, signIn, 'klingon'],
    ['two encodings', 415, form, signIn, 'gzip, gzip'],
  ])('%s: %i', async (name, expected, type, body, encoding = /gzip|unpacked/.test(name) ? 'gzip' : '') => {
    const before = await countKeys(redis);
    const { status, text, setCookies } = await send(type, body, encoding ? { 'Content-Encoding': encoding } : {});
    expect([status, setCookies]).toEqual([expected, []]);
    expect(text).toMatch(/^[A-Z][^\n]{10,100}\.\n$/);
    expect(await countKeys(redis)).toBe(before);
  });

  test('is larger than 16 kB, or has more than 50 fields', async () => {
    const fields = (count: number) => '&x=1'.repeat(count - 1);
    const bytes = (length: number) => signIn + '&pass='.padEnd(length - signIn.length, 'x');
    expect((await send(form, bytes(16 * 1024))).status).toBe(200);
    expect((await send(form, bytes(16 * 1024 + 1))).status).toBe(413);
    expect((await send(json, JSON.stringify({ email: 'a@example.com' }).padEnd(16 * 1024 + 1))).status).toBe(413);
    expect((await send(form, signIn + fields(50))).status).toBe(200);
    expect((await send(form, signIn + fields(51))).status).toBe(413);
  });

  // A few bytes that inflate to many cost far more than they cost the sender.
  test.each([
    ...['gzip', 'x-gzip', 'deflate', 'br', 'zstd', 'compress', 'exi', 'klingon', 'GZip', '*', ','],
    ...['gzip, identity', 'identity, br', 'identity,identity', 'gzip;q=1', '"gzip"'],
  ])('is refused unread, on every page and for every method, when it is encoded: %j', async (encoding) => {
    const methods: Method[] = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options'];
    for (const path of ['/', '/login', '/logout', '/admin', '/nowhere', '/%zz']) {
      for (const method of methods) {
        const asked = ask(url, method, path).set({ ...clients.text, 'Content-Encoding': encoding });
        const { status, headers } = await (method === 'post' ? asked.type('form').send(signIn) : asked);
        const answer = { status, accepted: headers['accept-encoding'], cookie: headers['set-cookie'] };
        expect({ method, path, ...answer }).toEqual({ method, path, status: 415, accepted: 'identity' });
      }
    }
  });

  test('is refused when only one of two Content-Encoding headers is identity', async () => {
    const head = 'POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: identity\r\nContent-Encoding: gzip\r\n';
    const { received, closed } = await connect(url, `${head}Content-Length: 0\r\nConnection: close\r\n\r\n`);
    await closed;
    expect(received()).toMatch(/^HTTP\/1\.1 415 [\s\S]*\r\nAccept-Encoding: identity\r\n/);
  });

  test('is answered with the types that are accepted', async () => {
    expect((await send('text/plain', signIn)).headers.get('Accept-Post')).toBe(`${form}, ${json}`);
  });

  test('is refused before its content arrives, if it says that there is any', async () => {
    const head = 'POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n';
    const { received, socket } = await connect(url, head);
    await expect.poll(received).toMatch(/^HTTP\/1\.1 415 /);
    socket.destroy();
  });

  test('is refused on every page', async () => {
    const { status } = await new Visitor(url).post('/logout', { body: 'x', headers: { 'Content-Type': 'text/plain' } });
    expect(status).toBe(415);
  });

  test('leaves no trace of its content in the log', async () => {
    const typed = `typed-${crypto.randomUUID()}`;
    keepOutOfLogs(typed);
    await send(json, `{"email":"${typed}"`);
    await send('text/plain', typed);
    await send(`${form}; charset=klingon`, `email=${typed}`);
    expect(JSON.stringify(logged())).not.toContain(typed);
  });
});

// A proxy that speaks HTTP/2 to the visitor doesn't know that the body is empty, and so sends no length.
describe('a button, whose POST has no body', () => {
  const chunkedEnd = '0\r\n\r\n';
  const framings: [name: string, headers: string, body?: string][] = [
    ['no header at all', ''],
    ['a length of 0', 'Content-Length: 0\r\n'],
    ['a length of 0 and a type that no form has', 'Content-Length: 0\r\nContent-Type: text/plain\r\n'],
    ['an empty chunked body', 'Transfer-Encoding: chunked\r\n', chunkedEnd],
    ['an empty chunked form', `Transfer-Encoding: chunked\r\nContent-Type: ${form}\r\n`, chunkedEnd],
    ['empty chunked JSON', `Transfer-Encoding: chunked\r\nContent-Type: ${json}\r\n`, chunkedEnd],
    ['an empty chunked body of another type', 'Transfer-Encoding: chunked\r\nContent-Type: text/plain\r\n', chunkedEnd],
    ['an empty chunked body with a trailer', 'Transfer-Encoding: Chunked\r\n', '0;x=y\r\nT: x\r\n\r\n'],
    ['100-continue', 'Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n', chunkedEnd],
  ];

  test.each(framings)('is done with %s', async (_, headers, body = '') => {
    for (const [path, location] of [
      ['/admin/end-other-sessions', '/admin'],
      ['/logout', '/'],
    ]) {
      const visitor = await signedIn(url, 'button@example.com');
      const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nCookie: ${visitor.cookieHeader}\r\n${headers}\r\n`;
      const { received, socket } = await connect(url, head);
      // The end of the body comes later, as it does from a proxy.
      if (body !== '') await expect.poll(() => socket.bytesWritten).toBe(head.length);
      socket.write(body);
      await expect.poll(received).toMatch(new RegExp(`HTTP/1\\.1 303 [\\s\\S]*\\r\\nLocation: ${location}[?#\\r]`));
      socket.destroy();
      expect((await visitor.get('/admin')).status).toBe(path === '/logout' ? 401 : 200);
    }
  });

  test('is refused if a chunk is not empty', async () => {
    const visitor = await signedIn(url, 'button@example.com');
    const head = `POST /logout HTTP/1.1\r\nHost: localhost\r\nCookie: ${visitor.cookieHeader}\r\n`;
    const { received, socket } = await connect(url, `${head}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n`);
    await expect.poll(received).toMatch(/^HTTP\/1\.1 415 /);
    socket.destroy();
    expect((await visitor.get('/admin')).status).toBe(200);
  });
});

test.each([undefined, null, 'email=ann', 7])('a body that is %j has no fields', (body) => {
  expect(bodyField(Object.assign(Object.create(express.request), { body }), 'length')).toBeUndefined();
});

describe('never a 5xx', () => {
  const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => new Uint8Array(array));
  const headerText = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) });
  const runs = { numRuns: 150 };

  async function expectAnswer(
    type: string,
    body: Uint8Array<ArrayBuffer> | string,
    headers: Record<string, string> = {},
  ) {
    const { status } = await send(type, body, headers);
    if (status !== 200) expect([400, 413, 415, 422]).toContain(status);
  }

  test('for a form or JSON of arbitrary bytes', async () => {
    const type = fc.constantFrom(form, json, `${form}; charset=iso-8859-1`, `${json}; charset=utf-16`);
    await fc.assert(
      fc.asyncProperty(type, bytes, (name, body) => expectAnswer(name, body)),
      runs,
    );
  });

  test('for arbitrary addresses', async () => {
    const text = fc.oneof(anyText, fc.emailAddress(), fc.string({ unit: 'grapheme' }));
    const body = fc.oneof(
      text.map((email) => [form, new URLSearchParams({ email }).toString()] as const),
      text.map((email) => [json, JSON.stringify({ email })] as const),
    );
    await fc.assert(
      fc.asyncProperty(body, ([type, sent]) => expectAnswer(type, sent)),
      runs,
    );
  });

  test('for arbitrary JSON, as the body and as each field', async () => {
    const shape = fc.oneof(
      fc.json(),
      fc
        .record({ email: fc.jsonValue(), next: fc.jsonValue(), remember: fc.jsonValue() })
        .map((value) => JSON.stringify(value)),
    );
    await fc.assert(
      fc.asyncProperty(shape, (body) => expectAnswer(json, body)),
      runs,
    );
  });

  test('for arbitrary types, charsets and encodings', async () => {
    const type = fc.oneof(
      headerText,
      headerText.map((text) => `${form};${text}`),
      headerText.map((text) => `${json}; charset=${text}`),
    );
    const encoding = fc.oneof(fc.constantFrom('gzip', 'deflate', 'br', 'identity', ''), headerText);
    await fc.assert(
      fc.asyncProperty(type, bytes, encoding, (name, body, content) =>
        expectAnswer(name, body, { 'Content-Encoding': content }),
      ),
      runs,
    );
  });

  test('and none of them left an error in the log', () => {
    expect(logged().filter(({ level }) => Number(level) >= 40)).toEqual([]);
  });
});
