import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RequestHandler } from 'express';

/** A style sheet as it stands in a page, and the source that lets it apply there (CSP 3, 8.2). */
type InlineStyle = { css: string; source: string };

/**
 * Puts the style sheet into the pages of browsers that send no cookie, which are probably on their first visit: their
 * first page is painted one round trip sooner. The policy of such a page allows this one sheet, by its hash, and no other
 * inline style.
 * @param directory where `style.css` is
 * @param options.reload the file changes while the process runs, for development
 */
export function inlineStyles(directory: string, { reload }: { reload: boolean }): RequestHandler {
  const styles = new Map<string, InlineStyle>();
  function styleWith(extraCss: string): InlineStyle {
    const known = reload ? undefined : styles.get(extraCss);
    if (known) return known;
    const text = readFileSync(join(directory, 'style.css'), 'utf8') + extraCss;
    const css = compacted.get(text) ?? compact(text);
    compacted.set(text, css);
    const style = { css, source: `'sha256-${createHash('sha256').update(css).digest('base64')}'` };
    styles.set(extraCss, style);
    return style;
  }
  styleWith('');

  return function offerInlineStyle(req, res, next) {
    if (req.headers.cookie === undefined) {
      res.locals.inlineStyle = (extraCss = '') => {
        const { css, source } = styleWith(extraCss);
        const policy = String(res.getHeader('Content-Security-Policy'));
        res.setHeader('Content-Security-Policy', policy.replace("style-src 'self'", `$& ${source}`));
        return css;
      };
    }
    next();
  };
}

/** The compacted style sheets, by their texts, for all apps of a process, such as those of tests. */
const compacted = new Map<string, string>();

const quoted = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/.source;
const comment = new RegExp(`(${quoted})|/\\*.*?\\*/`, 'gs');
const space = new RegExp(`(${quoted})|\\s*([{};])\\s*|([:,])\\s+|\\s+`, 'gs');

/**
 * Without comments, and without white space that means nothing. What stands before a colon is kept, since it tells
 * `.bar :hover` from `.bar:hover`.
 */
function compact(css: string): string {
  return css
    .replace(comment, (_, text?: string) => text ?? ' ')
    .replace(space, (_, text?: string, mark?: string, separator?: string) => text ?? mark ?? separator ?? ' ')
    .replaceAll(';}', '}')
    .replaceAll('</', '<\\/')
    .trim();
}
