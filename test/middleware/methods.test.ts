import { expect, test } from 'vitest';
import { newAddress, newBrowser, signInByCode, startCodeApp } from '../email-code/code-login.ts';
import { startApp } from '../support/app.ts';
import { ask, type Method, signedIn } from '../support/client.ts';
import type { Visitor } from '../support/visitor.ts';

const { url, app } = await startApp();
const byCode = await startCodeApp();

const allowed: Record<string, Method[]> = {
  '/livez': ['get', 'head'],
  '/readyz': ['get', 'head'],
  '/': ['get', 'head'],
  '/login': ['get', 'head', 'post'],
  '/logout': ['get', 'head', 'post'],
  '/admin': ['get', 'head'],
  '/admin/end-session': ['post'],
  '/admin/end-other-sessions': ['post'],
};
const allowedByCode: Record<string, Method[]> = {
  '/login/code': ['get', 'head', 'post'],
  '/login/code/again': ['post'],
  '/end-session': ['get', 'head', 'post'],
};
const methods: Method[] = ['get', 'head', 'post', 'put', 'patch', 'delete', 'trace'];

type Layer = { route?: { path: string } | undefined; handle: object };

// Features bring routers of their own.
function pathsIn(stack: Layer[]): string[] {
  return stack.flatMap(({ route, handle }) =>
    route ? [route.path] : 'stack' in handle ? pathsIn(handle.stack as Layer[]) : [],
  );
}

function routesOf({ router }: typeof app): string[] {
  return pathsIn(router.stack);
}

async function expectMethods(site: string, path: string, own: Method[], visitor: Visitor): Promise<void> {
  const allow = own.join(', ').toUpperCase();
  for (const method of methods.filter((candidate) => !own.includes(candidate))) {
    const { status, headers } = await ask(site, method, path, visitor);
    expect({ method, status, allow: headers.allow }).toEqual({ method, status: 405, allow });
  }
  const options = await ask(site, 'options', path, visitor).expect(204);
  expect(options.headers.allow).toBe(allow);
}

test('every route is listed here', () => {
  expect(routesOf(app)).toEqual(Object.keys(allowed));
  expect(routesOf(byCode.app).sort()).toEqual(Object.keys({ ...allowed, ...allowedByCode }).sort());
});

// RFC 9110, 15.5.6
test.each(Object.entries(allowed))('%s takes %j, and answers 405 with Allow to the rest', async (path, own) => {
  await expectMethods(url, path, own, await signedIn(url));
});

test.each(Object.entries({ ...allowed, ...allowedByCode }))(
  'with sign-in by code %s takes %j, and answers 405 with Allow to the rest',
  async (path, own) => {
    const visitor = newBrowser(byCode.url);
    await signInByCode(byCode, visitor, newAddress());
    await expectMethods(byCode.url, path, own, visitor);
  },
);

test('a path that is not there is 404 by every method', async () => {
  for (const method of methods) {
    const { status } = await ask(url, method, '/nowhere');
    expect({ method, status }).toEqual({ method, status: 404 });
  }
});

test('a path with a broken escape is 400, and a broken escape in the query harms nothing', async () => {
  for (const path of ['/%', '/%zz', '/a/%ff', '/login%']) await ask(url, 'get', path).expect(400);
  await ask(url, 'get', '/?a=%zz').expect(200);
  await ask(url, 'get', '/login?next=%').expect(200);
});
