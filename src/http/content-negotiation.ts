import type { Request, Response } from 'express';

type Form = 'html' | 'text' | 'json';

/** Responds in the form that `Accept` asks for: HTML by default, or plain text for an `XMLHttpRequest`. */
export function answerAs(req: Request, res: Response, forms: Record<Form, () => void>): void {
  res.vary('Accept').vary('X-Requested-With');
  const offers: [Form, ...Form[]] = isXhr(req) ? ['text', 'json'] : ['html', 'text', 'json'];
  const preferred = req.accepts(offers);
  forms[offers.find((offer) => offer === preferred) ?? offers[0]]();
}

/** Whether this is the older client, which expects the word `done` after a login. */
export function isXhr(req: Request): boolean {
  return req.get('X-Requested-With')?.toLowerCase() === 'xmlhttprequest';
}
