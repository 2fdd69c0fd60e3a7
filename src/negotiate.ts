import type { Request } from 'express';

/** What the client wants to read. */
export type Answer = 'html' | 'text' | 'json';

/**
 * A browser's page load gets HTML, an `XMLHttpRequest` without an opinion gets plain text, and whoever states a
 * preference gets that.
 */
export function preferredAnswer(req: Request): Answer {
  const offers: Answer[] = isXhr(req) ? ['text', 'json', 'html'] : ['html', 'text', 'json'];
  const preferred = req.accepts(offers);
  return offers.find((offer) => offer === preferred) ?? 'html';
}

/** The older client's way of asking: its answer to a login is the word `done`. */
export function isXhr(req: Request): boolean {
  return req.get('X-Requested-With')?.toLowerCase() === 'xmlhttprequest';
}
