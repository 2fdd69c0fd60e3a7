import { expect } from 'vitest';
import type { TestApp } from './app.ts';
import { ask, type Method } from './client.ts';
import { contributed } from './contributions.ts';
import type { Visitor } from './visitor.ts';

/** Paths and the methods that each takes. */
export type Routes = Record<string, Method[]>;

export const coreRoutes: Routes = {
  '/livez': ['get', 'head'],
  '/readyz': ['get', 'head'],
  '/': ['get', 'head'],
  '/login': ['get', 'head', 'post'],
  '/logout': ['get', 'head', 'post'],
  '/admin': ['get', 'head'],
  '/admin/end-session': ['post'],
  '/admin/end-other-sessions': ['post'],
};
/** The routes of the core and of all features, whatever the settings. */
export async function knownRoutes(): Promise<Routes> {
  const added = await contributed('routes');
  return Object.assign({}, coreRoutes, ...added.map(({ module }) => module.routes));
}

export const methods: Method[] = ['get', 'head', 'post', 'put', 'patch', 'delete', 'trace'];

type Layer = { route?: { path: string | string[] } | undefined; handle: object };

// Features bring routers of their own.
function pathsIn(stack: Layer[]): string[] {
  return stack.flatMap(({ route, handle }) =>
    route ? route.path : 'stack' in handle ? pathsIn(handle.stack as Layer[]) : [],
  );
}

/** The paths of all routes of an app, in alphabetical order. */
export function routesOf({ app }: TestApp): string[] {
  return [...new Set(pathsIn(app.router.stack))].sort();
}

/** Expects 405 for every method that a path does not take, with the others in Allow (RFC 9110, 15.5.6). */
export async function expectMethods(site: string, path: string, own: Method[], visitor: Visitor): Promise<void> {
  const allow = own.join(', ').toUpperCase();
  for (const method of methods.filter((candidate) => !own.includes(candidate))) {
    const { status, headers } = await ask(site, method, path, visitor);
    expect({ method, status, allow: headers.allow }).toEqual({ method, status: 405, allow });
  }
  const options = await ask(site, 'options', path, visitor).expect(204);
  expect(options.headers.allow).toBe(allow);
}
