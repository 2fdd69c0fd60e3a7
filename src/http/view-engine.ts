import ejs from 'ejs';
import type { Express } from 'express';

/**
 * Registers EJS as Express's view engine, in strict mode: views read `locals.name`, so a missing local is undefined.
 * Includes are written as `/partials/top`; for relative ones EJS asks the disk on every page.
 * @param options.reload read the files again for every page, for development
 */
export function registerEjs(app: Express, { directory, reload }: { directory: string; reload: boolean }): void {
  const options = { strict: true, root: directory, cache: !reload, compileDebug: reload };
  app.set('views', directory).set('view engine', 'ejs').set('view cache', !reload);
  app.engine('ejs', (path, locals, done) => void ejs.renderFile(path, locals, options, done));
}
