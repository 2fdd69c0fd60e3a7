import { readFileSync } from 'node:fs';
import ejs, { type EscapeCallback } from 'ejs';
import type { Express } from 'express';

type Include = (name: string, own?: object) => string;
type View = (locals: object, escapeFn: EscapeCallback, include: Include) => string;

/**
 * Renders views as `registerEjs()` has EJS do it, with another `include`: an included view sees the page's locals behind
 * its own, where EJS copies all of them, and its options, for each.
 * @param options.reload read the files again for every page, for development
 */
export function compileViews(app: Express, { directory, reload }: { directory: string; reload: boolean }): void {
  const views = new Map<string, View>();

  function render(path: string, locals: object): string {
    const view = views.get(path) ?? compile(path);
    if (!reload) views.set(path, view);
    return view(locals, ejs.escapeXML, (name, own) =>
      render(`${directory}${name}.ejs`, own ? Object.assign(Object.create(locals), own) : locals),
    );
  }

  app.engine('ejs', (path, locals, done) => {
    let page: string;
    try {
      // Whatever gets into Object.prototype is no local.
      page = render(path, { __proto__: null, ...locals });
    } catch (error) {
      // EJS's own error quotes the line.
      return void (reload ? ejs.renderFile(path, locals, { strict: true, root: directory }, done) : done(error));
    }
    done(null, page);
  });
}

function compile(path: string): View {
  const template = new ejs.Template(readFileSync(path, 'utf8'), { filename: path, strict: true, compileDebug: false });
  template.compile();
  return new Function('locals', 'escapeFn', 'include', `'use strict';${template.source}`) as View;
}
