import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import express, { type RequestHandler } from 'express';

const yearSeconds = 31_536_000;

/** Serves the files of a directory; those asked for by their versioned URL are kept by browsers for a year. */
export function staticFiles(directory: string): RequestHandler {
  const paths = new Set(readdirSync(directory, { recursive: true }).map((name) => `/${String(name)}`));
  const serve = express.static(directory, {
    index: false,
    redirect: false,
    cacheControl: false,
    setHeaders(res) {
      const versioned = res.req.url?.includes('?v=') ?? false;
      res.setHeader('Cache-Control', versioned ? `public, max-age=${yearSeconds}, immutable` : 'no-cache');
    },
  });
  // Without this, the disk is asked for a file on every page.
  return function serveStaticFile(req, res, next) {
    if (paths.has(req.path)) serve(req, res, next);
    else next();
  };
}

/** The URL of a file, which changes with its content. */
export function assetUrl(directory: string, options: { reload: boolean }): (name: string) => string {
  const urls = new Map<string, string>();
  return function urlOf(name) {
    if (options.reload) return `/${name}`;
    const known = urls.get(name);
    if (known !== undefined) return known;
    const hash = createHash('sha256')
      .update(readFileSync(join(directory, name)))
      .digest('base64url')
      .slice(0, 10);
    urls.set(name, `/${name}?v=${hash}`);
    return `/${name}?v=${hash}`;
  };
}
