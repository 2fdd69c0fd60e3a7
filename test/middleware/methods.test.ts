import { expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { ask, type Method, signedIn } from '../support/client.ts';

const { url, app } = await startApp();

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
const methods: Method[] = ['get', 'head', 'post', 'put', 'patch', 'delete', 'trace'];

test('every route is listed here', () => {
  const routes = app.router.stack.flatMap(({ route }) => (route ? [route.path] : []));
  expect(routes).toEqual(Object.keys(allowed));
});

// RFC 9110, 15.5.6
test.each(Object.entries(allowed))('%s takes %j, and answers 405 with Allow to the rest', async (path, own) => {
  const visitor = await signedIn(url);
  const allow = own.join(', ').toUpperCase();
  for (const method of methods.filter((candidate) => !own.includes(candidate))) {
    const { status, headers } = await ask(url, method, path, visitor);
    expect({ method, status, allow: headers.allow }).toEqual({ method, status: 405, allow });
  }
  const options = await ask(url, 'options', path, visitor).expect(204);
  expect(options.headers.allow).toBe(allow);
});

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
