import type { Request, Response } from 'express';

type Form = 'html' | 'text' | 'json';

/**
 * Answers in the form that the client prefers: a browser's page load gets HTML, an `XMLHttpRequest` plain text or
 * JSON, and whoever states a preference gets that. Caches are told what it depends on.
 */
export function answerAs(req: Request, res: Response, forms: Record<Form, () => void>): void {
  res.vary('Accept').vary('X-Requested-With');
  const offers: [Form, ...Form[]] = isXhr(req) ? ['text', 'json'] : ['html', 'text', 'json'];
  const preferred = req.accepts(offers);
  forms[offers.find((offer) => offer === preferred) ?? offers[0]]();
}

/** The older client's way of asking: its answer to a login is the word `done`. */
export function isXhr(req: Request): boolean {
  return req.get('X-Requested-With')?.toLowerCase() === 'xmlhttprequest';
}
