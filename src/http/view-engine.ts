import { readFileSync } from 'node:fs';
import ejs from 'ejs';
import type { Express } from 'express';

/**
 * Registers EJS as Express's view engine, in strict mode: views read `locals.name`, so that a missing local is
 * undefined instead of a ReferenceError or, worse, a variable of the outer scope.
 * @param options.reload read the files again for every page, for development
 */
export function registerEjs(app: Express, options: { directory: string; reload: boolean }): void {
  const templates = new Map<string, ejs.TemplateFunction>();

  function templateOf(path: string): ejs.TemplateFunction {
    const known = templates.get(path);
    if (known) return known;
    const template = ejs.compile(readFileSync(path, 'utf8'), {
      filename: path,
      strict: true,
      // Includes are written as `/partials/top`: for relative ones EJS asks the disk on every page.
      root: options.directory,
      cache: !options.reload,
      compileDebug: options.reload,
    });
    if (!options.reload) templates.set(path, template);
    return template;
  }

  app.set('views', options.directory);
  app.set('view engine', 'ejs');
  app.set('view cache', !options.reload);
  app.engine('ejs', (path, locals, done) => {
    try {
      done(null, templateOf(path)(locals));
    } catch (error) {
      done(error);
    }
  });
}
