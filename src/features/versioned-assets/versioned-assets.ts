import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import express, { type RequestHandler } from 'express';

const yearSeconds = 31_536_000;

type Assets = {
  serve: RequestHandler;
  /** The URL of a file, which changes with its content. */
  urlOf: (name: string) => string;
};

/**
 * Serves the files of a directory. Browsers cache them for a year under a URL that contains a hash of the content. Under
 * a hash that is not ours, such as that of a newer process during a restart, they must not cache them.
 * @param options.reload the files change while the process runs, for development
 */
export function versionedAssets(directory: string, options: { reload: boolean }): Assets {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(directory, name)).isFile(),
  );
  const urls = new Map(names.map((name) => [name, `/${name}?v=${hashOf(join(directory, name))}`]));
  const versioned = new Set(urls.values());
  const paths = new Set(names.map((name) => `/${name}`));
  const serve = express.static(directory, {
    cacheControl: false,
    setHeaders(res) {
      const isVersioned = !options.reload && versioned.has(res.req.url ?? '');
      res.setHeader('Cache-Control', isVersioned ? `public, max-age=${yearSeconds}, immutable` : 'no-cache');
    },
  });

  return {
    // Otherwise every page would cost a look at the disk, and directories would redirect.
    serve: function serveStaticFile(req, res, next) {
      if (paths.has(req.path)) serve(req, res, next);
      else next();
    },
    urlOf: (name) => (options.reload ? undefined : urls.get(name)) ?? `/${name}`,
  };
}

function hashOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('base64url').slice(0, 10);
}
