import { expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { ask, signedIn } from '../support/client.ts';
import { coreRoutes, expectMethods, knownRoutes, methods, routesOf } from '../support/methods.ts';

const app = await startApp({ env: { SIGN_IN: 'trust' } });
const { url } = app;
const known = await knownRoutes();
const paths = routesOf(app);

test('every route is listed, and those of the core are there', () => {
  expect(
    paths.filter((path) => !known[path]),
    'list it in test/NAME/routes.ts',
  ).toEqual([]);
  expect(paths).toEqual(expect.arrayContaining(Object.keys(coreRoutes)));
});

test.each(paths)('%s answers 405 with Allow to the methods that it does not accept', async (path) => {
  await expectMethods(url, path, known[path] ?? [], await signedIn(url));
});

test('an unknown path is 404 for every method', async () => {
  for (const method of methods) {
    const { status } = await ask(url, method, '/nowhere');
    expect({ method, status }).toEqual({ method, status: 404 });
  }
});

test('a broken escape in the path is 400, and in the query does no harm', async () => {
  for (const path of ['/%', '/%zz', '/a/%ff', '/login%']) await ask(url, 'get', path).expect(400);
  await ask(url, 'get', '/?a=%zz').expect(200);
  await ask(url, 'get', '/login?next=%').expect(200);
});
