import { readFileSync } from 'node:fs';
import ejs, { type EscapeCallback } from 'ejs';
import type { Express } from 'express';
import { type Locals, rememberIncludes } from './remember-includes.ts';

type Include = (name: string, own?: Locals) => string;
type Render = (locals: object, escapeFn: EscapeCallback, include: Include) => string;
type Included = (locals: object, own?: Locals) => string;
/** A compiled view, and what renders the views that it includes, by the names that it gives them. */
type View = { render: Render; includes: Map<string, Included> };

/**
 * Renders a view, by its path below the directory of views, such as `/home`. Where the page has no local of a name, that of
 * the app is used.
 */
export type RenderView = (name: string, ...locals: object[]) => string;

/** The compiled views, by their texts, for all apps of a process, such as those of tests. */
const compiled = new Map<string, Render>();

type CompileOptions = { directory: string; reload: boolean; remembered?: Readonly<Record<string, string>> };

/**
 * Renders views as `registerEjs()` has EJS do it, but copies less: EJS copies all locals, and its options, for each view that
 * a page includes. Here only the page's own locals are copied; those of the app are their prototype. Views lose their
 * indentation, blank lines and trailing newline, which `registerEjs()` keeps; the text of values stays as it is.
 * @param options.reload read the files again for every page, for development
 * @param options.remembered the views whose HTML is remembered, by the names under which they are included, each with the
 *   local that is its key in {@link rememberIncludes}. They see no locals but those that their include gives them, and the
 *   app's.
 */
export function compileViews(app: Express, { directory, reload, remembered = {} }: CompileOptions): RenderView {
  const views = new Map<string, View>();
  const rememberedViews = new Map(
    Object.entries(remembered).map(([name, key]) => {
      const render = (own: Locals) => renderFile(`${directory}${name}.ejs`, withApp(own));
      return [name, reload ? render : rememberIncludes(key, render)];
    }),
  );

  function renderFile(path: string, locals: object): string {
    const view = views.get(path) ?? compile(path);
    if (!reload) views.set(path, view);
    return view.render(locals, escapeText, (name, own) => {
      const include = view.includes.get(name) ?? includeOf(name, path);
      view.includes.set(name, include);
      return include(locals, own);
    });
  }

  function includeOf(name: string, from: string): Included {
    const renderRemembered = rememberedViews.get(name);
    if (renderRemembered) return (_locals, own = {}) => renderRemembered(own);
    const path = resolveInclude(name, from);
    return (locals, own) => renderFile(path, own ? withApp(locals, own) : locals);
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
  const text = readFileSync(path, 'utf8');
  const render = compiled.get(text) ?? compileText(text, path);
  compiled.set(text, render);
  return { render, includes: new Map() };
}

function compileText(text: string, filename: string): Render {
  const template = new ejs.Template(text, { filename, strict: true, compileDebug: false, rmWhitespace: true });
  template.compile();
  return new Function('locals', 'escapeFn', 'include', `'use strict';${template.source}`) as Render;
}
