import { expect, test } from 'vitest';
import { createApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { createLogger } from '../../src/log.ts';
import { testSecret } from '../support/app.ts';
import { expectMethods, knownRoutes, routesOf } from '../support/methods.ts';
import { newAddress, newBrowser, signInByCode, startCodeApp } from './code-login.ts';
import { routes } from './routes.ts';

const app = await startCodeApp();
const known = await knownRoutes();
const paths = routesOf(app);
const visitor = newBrowser(app.url);
await signInByCode(app, visitor, newAddress());

test('every route is listed, and those of sign-in by code are there', () => {
  expect(paths.filter((path) => !known[path])).toEqual([]);
  expect(paths).toEqual(expect.arrayContaining(Object.keys(routes)));
});

test.each(paths)('%s answers 405 with Allow to the methods that it does not take', async (path) => {
  await expectMethods(app.url, path, known[path] ?? [], visitor);
});

test('the login form says what it does', async () => {
  const { text } = await newBrowser(app.url).get('/login');
  expect(text).toContain('Mail me a code');
  expect(text).toContain('No password needed: we mail you a code that works once.');
});

test.each([
  ['/login/code/again', '/login/code'],
  ['/login/code', '/login/code'],
])('a page of 405 at %s leads to %s', async (path, page) => {
  const { text } = await newBrowser(app.url).get(path, { method: path === page ? 'DELETE' : 'GET' });
  expect(text).toContain(`href="${page}"`);
});

test('without anything to mail codes with, there is no app', () => {
  const parts = { config: readConfig({ SIGN_IN: 'code' }), secrets: [testSecret], redis: app.redis } as const;
  const log = createLogger('silent');
  expect(() => createApp({ ...parts, log, isClosing: () => false })).toThrow('set SMTP_URL');
});
