import type { Request, Response } from 'express';
import { answerAs } from '../../http/content-negotiation.ts';
import { safeReturnPath } from '../../http/return-path.ts';
import { tagIn } from '../../session/session-id.ts';
import { tooOftenText } from '../rate-limits/too-often.ts';
import type { Challenge } from './challenges.ts';

export const codePath = '/login/code';

/** The page that asks for a code. */
export type CodeForm = {
  /** The sign-in that the form is for; undefined where none waits. */
  waiting: Challenge | undefined;
  /** Where it leads. */
  next?: string | undefined;
  /** The other sign-ins that wait in this browser. */
  others?: Challenge[];
  problem?: string;
  /** What was entered in the field and is worth correcting. */
  typed?: string | undefined;
  sentAgain?: boolean;
  /** Whether the browser sent no cookie at all. */
  hasNoCookies?: boolean;
};

/** How requests about codes are answered. */
export class CodeAnswers {
  readonly #site: { hasAllowList: boolean; catchesMail: boolean };

  /**
   * @param site.hasAllowList whether only some addresses may sign in
   * @param site.catchesMail whether mail is caught instead of sent, and can be read at `/dev/mails`
   */
  constructor(site: { hasAllowList: boolean; catchesMail: boolean }) {
    this.#site = site;
  }

  codeForm(res: Response, { others = [], next = safeReturnPath(undefined), ...form }: CodeForm): void {
    const links = others.map(({ id, email }) => ({ email, href: `${codePath}?for=${tagIn(id)}` }));
    res.render('email-code/code', { ...this.#site, ...form, next, others: links });
  }

  codeNeeded(req: Request, res: Response, page: string): void {
    answerAs(req, res, {
      html: () => res.redirect(303, page),
      text: () => res.status(202).type('text').send('code needed\n'),
      json: () => res.status(202).json({ status: 'code needed', enterAt: codePath }),
    });
  }

  /** The form once more, with what is wrong. */
  problem(req: Request, res: Response, form: CodeForm & { problem: string }): void {
    res.status(422);
    answerAs(req, res, {
      html: () => this.codeForm(res, form),
      text: () => res.type('text').send(`${form.problem}\n`),
      json: () => res.json({ error: form.problem, field: 'code' }),
    });
  }

  /** The form once more, for a client that has to wait. The code stays good. */
  tooOften(
    req: Request,
    res: Response,
    form: { waiting: Challenge; next: string | undefined },
    waitSeconds: number,
  ): void {
    const problem = tooOftenText(waitSeconds);
    res.status(429).set('Retry-After', String(waitSeconds));
    answerAs(req, res, {
      html: () => this.codeForm(res, { ...form, problem }),
      text: () => res.type('text').send(`${problem}\n`),
      json: () => res.json({ error: problem }),
    });
  }

  /** The login form, to ask for another code. */
  over(req: Request, res: Response, form: { typed: string | undefined; next: string; remember: boolean }): void {
    const notice = 'That code can no longer be used. Ask for a new one here.';
    res.status(422);
    answerAs(req, res, {
      html: () => res.render('login', { ...form, notice }),
      text: () => res.type('text').send(`${notice}\n`),
      json: () => res.json({ error: notice, startAt: '/login' }),
    });
  }
}

/** How many tries are left, in words. */
export function triesText(triesLeft: number): string {
  const words = ['one try', 'two tries', 'three tries'];
  return `You have ${words[triesLeft - 1] ?? 'four tries'} left.`;
}
