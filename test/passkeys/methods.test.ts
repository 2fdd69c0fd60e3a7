import { expect, test } from 'vitest';
import { expectMethods, knownRoutes, routesOf } from '../support/methods.ts';
import { newMember, startPasskeyApp } from './passkey-app.ts';
import { routes } from './routes.ts';

const app = await startPasskeyApp({ env: { PASSKEYS_RELATED_ORIGINS: 'https://login.example.de' } });
const { visitor } = await newMember(app);
const known = await knownRoutes();

test('every route is listed', () => {
  const paths = routesOf(app);
  expect(paths.filter((path) => !known[path])).toEqual([]);
  expect(paths).toEqual(expect.arrayContaining(Object.keys(routes)));
});

test.each(Object.keys(routes))('%s answers 405 with Allow to the methods that it does not accept', async (path) => {
  await expectMethods(app.url, path, known[path] ?? [], visitor);
});
