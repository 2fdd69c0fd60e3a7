import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RequestHandler } from 'express';
import type { Core, Service } from '../../core.ts';
import type { Logger } from '../../log.ts';
import type { SiteLook } from '../../shared/site-look.ts';
import type { Logo } from './logo.ts';
import { type Palette, palettesFor, styleSheetOf } from './palette.ts';

type File = { bytes: Buffer; type: string; hash: string; headers: Record<string, string> };

/** What the head of each page reads as `locals.brand`. */
type Brand = {
  color: string | undefined;
  styleSheet: string | undefined;
  /** What is in the style sheet. */
  css: string | undefined;
  logo: { url: string; type: string; width: number; height: number } | undefined;
};

type Branding = {
  brand: Brand;
  look: SiteLook;
  /** Undefined if neither a logo nor a color is set. */
  serve: RequestHandler | undefined;
  service: Service;
};

const yearSeconds = 31_536_000;
const logoHeight = 28;
// A logo is shown by <img>, where nothing in it runs or loads. Opened by itself, it is a document of this origin.
const logoHeaders = {
  'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'",
  // Webmail shows it on its own site.
  'Cross-Origin-Resource-Policy': 'cross-origin',
};

/**
 * Shows the operator's logo and color in pages and mails. Both are served as files, because the content security policy
 * allows no inline style that isn't listed by its hash.
 * @param publicDirectory where our own style sheet and icon are
 */
export function openBranding({ config, log }: Pick<Core, 'config' | 'log'>, publicDirectory: string): Branding {
  const { color, logo } = config.branding;
  const readPublic = (name: string) => readFileSync(join(publicDirectory, name), 'utf8');
  const palettes = color === undefined ? [] : palettesFor(color, readPublic('style.css'));
  const usual = palettes.filter(({ isEnhanced }) => !isEnhanced);
  const light = usual.find(({ isDark }) => !isDark);
  const dark = usual.find(({ isDark }) => isDark);
  const shown: Logo | undefined =
    logo ?? (light && { bytes: recolored(readPublic('favicon.svg'), light), type: 'image/svg+xml', aspect: 1 });

  const files = new Map<string, File>();
  const add = (path: string, bytes: Buffer, type: string, headers = {}) => {
    const hash = createHash('sha256').update(bytes).digest('base64url').slice(0, 10);
    files.set(path, { bytes, type, hash, headers });
    return `${path}?v=${hash}`;
  };
  const css = color && styleSheetOf(color, palettes);
  const brand: Brand = {
    ...{ color, css },
    styleSheet: css && add('/branding/colors.css', Buffer.from(css), 'text/css'),
    logo: shown && {
      url: add('/branding/logo', shown.bytes, shown.type, logoHeaders),
      ...{ type: shown.type, width: Math.max(1, Math.round(logoHeight * shown.aspect)), height: logoHeight },
    },
  };
  return {
    brand,
    look: {
      ...(logo?.type === 'image/png' && brand.logo && { logo: brand.logo }),
      ...(light && dark && { colors: { light, dark } }),
    },
    serve: files.size > 0 ? serveFiles(files) : undefined,
    service: { start: async () => warnOfVariants(log, color, palettes) },
  };
}

function warnOfVariants(log: Logger, color: string | undefined, palettes: Palette[]): void {
  for (const { isDark, isEnhanced, accent, ownContrast } of palettes) {
    if (accent === color || isEnhanced) continue;
    const background = isDark ? 'dark' : 'light';
    log.warn(
      { color, used: accent, contrast: Number(ownContrast.toFixed(2)) },
      `SITE_COLOR is hard to read on the ${background} background: ${accent} is used there`,
    );
  }
}

/** Our own icon, whose key is white, in the site's color. */
function recolored(icon: string, { accent }: Palette): Buffer {
  return Buffer.from(
    icon.replace(/(<rect[^>]* fill=")[^"]*/, (_, start: string) => start + accent).replace(/\s*<title>.*<\/title>/, ''),
  );
}

function serveFiles(files: ReadonlyMap<string, File>): RequestHandler {
  return function serveBranding(req, res, next) {
    const file = files.get(req.path);
    if (!file || !['GET', 'HEAD'].includes(req.method)) return next();
    // Under the hash of a newer process, during a restart, it must not be kept.
    const isVersioned = req.query.v === file.hash;
    res.set({
      ...file.headers,
      'Cache-Control': isVersioned ? `public, max-age=${yearSeconds}, immutable` : 'no-cache',
      ETag: `"${file.hash}"`,
    });
    if (req.fresh) res.status(304).end();
    else res.type(file.type).send(file.bytes);
  };
}
