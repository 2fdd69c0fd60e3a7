import request from 'supertest';
import { describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { commandsFor } from '../support/commands.ts';

describe('static files', async () => {
  const { url, redis } = await startApp({ config: { production: true } });

  test('answer HEAD without a body', async () => {
    const { text, headers } = await request(url).head('/favicon.svg').expect(200);
    expect(text).toBeFalsy();
    expect(Number(headers['content-length'])).toBeGreaterThan(0);
  });

  test.each([
    [{ Range: 'bytes=99999999-' }, 416, expect.stringMatching(/^bytes \*\/\d+$/)], // RFC 9110, 15.5.17.
    [{ 'If-Match': '"another"' }, 412, undefined],
  ])(
    'that do not meet the condition %j are answered with an error page, not as the file',
    async (condition, status, range) => {
      const asked = request(url)
        .get('/style.css')
        .set({ Accept: 'text/html', ...condition });
      const { headers } = await asked.expect(status);
      const { 'content-type': type, 'content-range': lengthOfFile, 'accept-ranges': ranges, etag } = headers;
      expect([type, lengthOfFile, ranges, etag]).toEqual(['text/html; charset=utf-8', range, undefined, undefined]);
    },
  );

  test.each(['/../package.json', '/..%2fpackage.json', '/%2e%2e/package.json', '/.env', '/..%5cpackage.json'])(
    'never come from outside their directory: %s is 404',
    async (path) => {
      await request(url).get(path).expect(404);
    },
  );

  test('need no Redis and set no cookie, whatever cookie is sent', async () => {
    const commands = await commandsFor(redis, async () => {
      const { headers } = await request(url).get('/style.css').set('Cookie', 'session=s:forged.forged').expect(200);
      expect(headers['set-cookie']).toBeUndefined();
    });
    expect(commands).toEqual({});
  });
});
