import type {} from '../core.ts';

declare module '../core.ts' {
  interface Core {
    /** The CAs that TLS connections trust; undefined for Node's own. */
    ca?: string[] | undefined;
  }
}
