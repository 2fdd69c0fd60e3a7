import type { Request, Response } from 'express';
import { answerAs } from '../../http/content-negotiation.ts';
import type { LoginForm } from '../../routes/login.ts';

/** The form once more, for a client that has to wait (RFC 6585, 4). */
export function answerTooOften(
  req: Request,
  res: Response,
  { email: typed, ...form }: LoginForm,
  waitSeconds: number,
): void {
  const notice = tooOftenText(waitSeconds);
  res.status(429).set('Retry-After', String(waitSeconds));
  answerAs(req, res, {
    html: () => res.render('login', { ...form, typed, notice }),
    text: () => res.type('text').send(`${notice}\n`),
    json: () => res.json({ error: notice }),
  });
}

/** What a client reads that has to wait. */
export function tooOftenText(waitSeconds: number): string {
  const minutes = Math.ceil(waitSeconds / 60);
  const hours = Math.ceil(minutes / 60);
  const wait = minutes === 1 ? 'a minute' : minutes < 120 ? `${minutes} minutes` : `${hours} hours`;
  return `Too many attempts. Please try again in ${wait}.`;
}
