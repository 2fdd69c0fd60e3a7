import { createServer } from 'node:http';
import express from 'express';
import { describe, expect, test } from 'vitest';
import { clientOf } from '../../src/features/email-code/code-request.ts';
import { CodeCookies } from '../../src/features/email-code/cookies.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { afterwards } from '../support/afterwards.ts';
import { listenLocally } from '../support/servers.ts';
import type { Visitor } from '../support/visitor.ts';
import {
  askForCode,
  challengeKeys,
  enterCode,
  hiddenFields,
  newAddress,
  newBrowser,
  newIp,
  startCodeApp,
  wrongCode,
} from './code-login.ts';

const { url, mails, redis } = await startCodeApp();

/** A browser in which two sign-ins wait, the one for Bob being the latest. */
async function twoWaiting(): Promise<{ browser: Visitor; ann: string; bob: string }> {
  const [browser, ann, bob] = [newBrowser(url), newAddress(), newAddress()];
  await askForCode(browser, ann, { next: '/admin?of=ann' });
  await askForCode(browser, bob, { next: '/admin?of=bob' });
  return { browser, ann, bob };
}

describe('of two sign-ins in a browser', () => {
  test('the form is for the one whose address it names', async () => {
    const { browser, ann } = await twoWaiting();
    const code = wrongCode(await mails.codeFor(ann));
    const visit = await browser.post('/login/code', { form: { email: ann, code } });
    expect(hiddenFields(visit)).toMatchObject({ email: ann, next: '/admin?of=ann' });
  });

  test('the form that names none is for both', async () => {
    const { browser, ann, bob } = await twoWaiting();
    expect(hiddenFields(await enterCode(browser, 'no code')).next).toBe('/admin?of=bob');
    for (const [email, next] of [[ann, '/admin?of=ann'] as const, [bob, '/admin?of=bob'] as const]) {
      const visit = await enterCode(browser, await mails.codeFor(email));
      expect([visit.status, visit.location]).toEqual([303, next]);
    }
  });

  test('the one that still waits is asked for, and leads to its own page', async () => {
    const { browser, ann, bob } = await twoWaiting();
    const [latest = ''] = challengeKeys(browser);
    expect(latest).toContain(tagOf(bob));
    await redis.del(latest);
    for (const visit of [await browser.get('/login/code'), await enterCode(browser, 'no code')]) {
      expect(hiddenFields(visit)).toMatchObject({ email: ann, next: '/admin?of=ann' });
    }
  });

  test('a form that names a third is for neither', async () => {
    const { browser, ann } = await twoWaiting();
    const form = { email: newAddress(), code: await mails.codeFor(ann), next: '/admin?tab=2' };
    const visit = await browser.post('/login/code', { form });
    expect([visit.status, hiddenFields(visit).next]).toEqual([422, '/admin?tab=2']);
    expect(visit.text).toContain(`value="${form.email}"`);
    expect((await enterCode(browser, form.code)).status).toBe(303);
  });
});

test('where no sign-in waits, the page says so, and one that is over leaves the cookie', async () => {
  expect((await newBrowser(url).get('/login/code')).text).toContain('This browser is not waiting for a code.');
  const browser = newBrowser(url);
  await askForCode(browser, newAddress());
  await redis.del(challengeKeys(browser));
  expect((await enterCode(browser, '12345678')).status).toBe(422);
  expect(browser.cookies.has('login')).toBe(false);
});

describe('the mail of a code', () => {
  test('names the browser that asked for it', async () => {
    const [known, unknown] = [newAddress(), newAddress()];
    await askForCode(newBrowser(url), known);
    expect((await mails.mailTo(known, 'code')).text).toContain('Firefox on Linux');
    const body = new URLSearchParams({ email: unknown });
    const headers = { 'User-Agent': '', 'X-Forwarded-For': newIp() };
    await fetch(`${url}/login`, { method: 'POST', body, headers, redirect: 'manual' });
    expect((await mails.mailTo(unknown, 'code')).text).toContain('Unknown browser');
  });

  test('leads to the loopback address by which the client came', async () => {
    const email = newAddress();
    await askForCode(newBrowser(url), email);
    expect((await mails.mailTo(email, 'code')).text).toContain(`${url}/`);
  });
});

// A link in somebody else's mail could lead anywhere, and take the code along.
test('where no origin is configured, links lead to this machine, whatever the client says', async () => {
  const site = express().set('trust proxy', true);
  const parts = { cookies: new CodeCookies(false), origin: undefined };
  site.use((req, res) => void res.send(clientOf(parts, req).origin));
  const server = createServer(site);
  afterwards(() => server.close());
  const siteUrl = await listenLocally(server);
  const { port } = new URL(siteUrl);
  const originFor = async (host: string, proto = 'http') => {
    const headers = { 'X-Forwarded-Host': host, 'X-Forwarded-Proto': proto };
    return (await fetch(siteUrl, { headers })).text();
  };
  expect(await originFor('localhost:3000')).toBe('http://localhost:3000');
  expect(await originFor('127.0.0.2', 'https')).toBe('https://127.0.0.2');
  for (const host of ['evil.example', 'localhost.evil.example', 'a b', 'localhost:port']) {
    expect(await originFor(host), host).toBe(`http://localhost:${port}`);
  }
});
