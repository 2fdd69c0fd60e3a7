import { expect, test } from 'vitest';
import { ask, signedIn } from '../support/client.ts';
import { expectMethods, knownRoutes, methods, routesOf } from '../support/methods.ts';
import { startGateApp, wiki } from './gate-app.ts';
import { routes } from './routes.ts';

const app = await startGateApp();

test('every route is listed, and those of the gate are there', async () => {
  const known = await knownRoutes();
  const paths = routesOf(app);
  expect(paths.filter((path) => !known[path])).toEqual([]);
  expect(paths).toEqual(expect.arrayContaining(Object.keys(routes)));
});

test.each(['/gate', '/.well-known/jwks.json'])(
  '%s answers 405 with Allow to the methods that it does not take',
  async (path) => {
    const visitor = await signedIn(app.url, 'ann@example.com', { 'X-Forwarded-Proto': 'https' });
    await expectMethods(app.url, path, routes[path] ?? [], visitor);
  },
);

test.each(Object.keys(routes).filter((path) => path.startsWith('/.latchkey/')))(
  '%s of a site answers 405 with Allow to the methods that it does not take',
  async (path) => {
    const own = routes[path] ?? [];
    for (const method of methods.filter((candidate) => !own.includes(candidate))) {
      const asked = ask(app.url, method, path)
        .set('X-Forwarded-Host', new URL(wiki).host)
        .set('X-Forwarded-Proto', 'https');
      const { status, headers } = await asked;
      expect({ method, status, allow: headers.allow }).toEqual({
        method,
        status: 405,
        allow: own.join(', ').toUpperCase(),
      });
    }
  },
);
