import { expect, test } from 'vitest';
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
