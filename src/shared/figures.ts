import { newChannel } from '../diagnostics.ts';

/**
 * A figure that a feature keeps for the operator: `add` counts, `set` replaces, `observe` measures. One that is
 * published with 0, or observed with undefined, as the process starts is there before anything happens. Where several
 * processes share a port, one that is set counts once, unless each of them has a share of it.
 */
export type Figure = { name: string; help: string; labels?: Record<string, string> } & (
  | { add: number }
  | { set: number; isShare?: true }
  | { observe: number | undefined; buckets: number[] }
);

/** @public for features: some publish figures, and another may show them. */
export const figures = newChannel<Figure>('latchkey:figure');
