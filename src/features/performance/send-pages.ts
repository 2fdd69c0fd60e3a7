import { extname } from 'node:path';
import type { Express, Response } from 'express';
import type { RenderView } from './compiled-views.ts';

/**
 * Has `res.render(view, locals)` render and send a page at once. Express copies the locals of the app for each page, waits
 * for the next tick, and looks up and parses the type of what it sends. Whatever is not a plain page is left to it, and so are
 * the views of an app that has another view engine or another directory of views.
 */
export function sendPages(app: Express, renderView: RenderView, { directory }: { directory: string }): void {
  const renderByExpress = app.response.render;
  const isOurs = (view: string) =>
    app.get('view engine') === 'ejs' && app.get('views') === directory && extname(view) === '';

  app.response.render = function render(this: Response, view: string, options: unknown, done?: unknown) {
    if (typeof options === 'function' || done !== undefined || !isOurs(view)) {
      return Reflect.apply(renderByExpress, this, [view, options, done]);
    }
    let page: string;
    try {
      page = renderView(`/${view}`, this.locals, Object(options));
    } catch {
      // Fails again there, with an error that in development quotes the line.
      return Reflect.apply(renderByExpress, this, [view, options]);
    }
    sendPage(this, page);
  };
}

function sendPage(res: Response, page: string): void {
  const { headers } = res.req;
  const mayBeFresh = headers['if-none-match'] !== undefined || headers['if-modified-since'] !== undefined;
  const hasNoBody = res.statusCode < 200 || [204, 205, 304].includes(res.statusCode);
  if (mayBeFresh || hasNoBody || res.hasHeader('Content-Type') || res.hasHeader('Transfer-Encoding')) {
    res.send(page);
    return;
  }
  res.setHeader('Content-Type', 'text/html; charset=utf-8');
  const bytes = Buffer.byteLength(page);
  res.setHeader('Content-Length', bytes);
  // A string leaves in one write together with the headers, which are then encoded like it. Latin-1 is the faster encoding,
  // and the same for ASCII.
  res.end(page, bytes === page.length ? 'latin1' : 'utf8');
}
