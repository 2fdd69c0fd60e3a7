import { describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { ask, signedIn } from '../support/client.ts';

const { url } = await startApp();

describe('GET /', () => {
  test('offers the login form to somebody signed out', async () => {
    const { text } = await ask(url, 'get', '/')
      .expect(200)
      .expect('Content-Type', /^text\/html/);
    expect(text).toMatch(/<form[^>]* method="post" action="\/login"/);
    expect(text).toMatch(/<input[^>]* name="email" type="email"/);
    expect(text).not.toContain('action="/logout"');
  });

  test('greets somebody signed in, with the ways to /admin and out', async () => {
    const { text } = await ask(url, 'get', '/', await signedIn(url)).expect(200);
    expect(text).toContain('ann@example.com');
    expect(text).toContain('href="/admin"');
    expect(text).toMatch(/<form[^>]* method="post" action="\/logout"/);
    expect(text).not.toContain('name="email"');
  });

  // ASVS 14.3.2
  test('is not stored, for anybody', async () => {
    await ask(url, 'get', '/').expect('Cache-Control', 'no-store');
    await ask(url, 'get', '/', await signedIn(url)).expect('Cache-Control', 'no-store');
  });

  test('answers HEAD without a body', async () => {
    const { text } = await ask(url, 'head', '/').expect(200);
    expect(text).toBeFalsy();
  });
});
