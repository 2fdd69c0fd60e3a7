import { readFileSync } from 'node:fs';
import ejs, { type EscapeCallback } from 'ejs';
import type { Express } from 'express';

type Include = (name: string, own?: object) => string;
type Render = (locals: object, escapeFn: EscapeCallback, include: Include) => string;
/** A compiled view, and the paths of the views that it includes, by the names that it gives them. */
type View = { render: Render; included: Map<string, string> };

/**
 * Renders a view, by its path below the directory of views, such as `/home`. Where the page has no local of a name, that of
 * the app is used.
 */
export type RenderView = (name: string, ...locals: object[]) => string;

/**
 * Renders views as `registerEjs()` has EJS do it, but copies less: EJS copies all locals, and its options, for each view that
 * a page includes. Here only the page's own locals are copied; those of the app are their prototype. Views lose their
 * indentation, blank lines and trailing newline, which `registerEjs()` keeps; the text of values stays as it is.
 * @param options.reload read the files again for every page, for development
 */
export function compileViews(app: Express, { directory, reload }: { directory: string; reload: boolean }): RenderView {
  const views = new Map<string, View>();

  function renderFile(path: string, locals: object): string {
    const view = views.get(path) ?? compile(path);
    if (!reload) views.set(path, view);
    return view.render(locals, escapeText, (name, own) => {
      const included = view.included.get(name) ?? resolveInclude(name, path);
      view.included.set(name, included);
      return renderFile(included, own ? withApp(locals, own) : locals);
    });
  }

  // As EJS does it: from the directory of views, or else from the view that includes, and `.ejs` may be left out.
  function resolveInclude(name: string, from: string): string {
    return name.startsWith('/')
      ? ejs.resolveInclude(name.replace(/^\/+/, ''), directory, true)
      : ejs.resolveInclude(name, from);
  }

  // The app's have no prototype: whatever gets into Object.prototype is no local.
  function withApp(...locals: object[]): object {
    return Object.assign(Object.create(app.locals), ...locals);
  }

  app.engine('ejs', (path, locals, done) => {
    let page: string;
    try {
      page = renderFile(path, withApp(locals));
    } catch (error) {
      // EJS's own error quotes the line. It renders the view with its indentation.
      return void (reload ? ejs.renderFile(path, locals, { strict: true, root: directory }, done) : done(error));
    }
    done(null, page);
  });
  return (name, ...locals) => renderFile(`${directory}${name}.ejs`, withApp(...locals));
}

/** Escapes as EJS does. Testing first is faster than replacing, and most texts have nothing to escape. */
function escapeText(value: unknown): string {
  const text = value === undefined || value === null ? '' : String(value);
  return /[&<>"']/.test(text) ? ejs.escapeXML(text) : text;
}

function compile(path: string): View {
  const options = { filename: path, strict: true, compileDebug: false, rmWhitespace: true };
  const template = new ejs.Template(readFileSync(path, 'utf8'), options);
  template.compile();
  const render = new Function('locals', 'escapeFn', 'include', `'use strict';${template.source}`) as Render;
  return { render, included: new Map() };
}
