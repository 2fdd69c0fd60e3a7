import type { Express } from 'express';

/** Lets error pages show these data of theirs as JSON, as the view gets them. */
export function showErrorData(fork: Express, names: string[]): void {
  fork.engine('ejs', (_path, data, done) => {
    done(null, JSON.stringify(Object.fromEntries(names.map((name) => [name, Reflect.get(data, name)]))));
  });
  fork.set('view engine', 'ejs').set('views', new URL('../../views', import.meta.url).pathname);
}
