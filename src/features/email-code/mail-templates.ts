import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ejs from 'ejs';
import { formatTime } from '../../http/date-format.ts';
import type { Mail } from '../mail/mailer.ts';
import { codeSeconds, groupCode } from './challenges.ts';

export type CodeMail = { to: string; code: string; device: string; origin: string; now: number };
export type NoticeMail = { to: string; device: string; endUrl: string; origin: string; now: number };

type Paragraphs = {
  heading: string;
  lines: string[];
  code?: string;
  link: { label: string; url: string };
  last: string;
};

/** Writes Latchkey's mails, each as text and as HTML. */
export class MailTemplates {
  readonly #html: ejs.TemplateFunction;

  constructor(viewsDirectory: string) {
    const path = join(viewsDirectory, 'mail', 'mail.ejs');
    this.#html = ejs.compile(readFileSync(path, 'utf8'), { filename: path, strict: true });
  }

  /**
   * The code, what it is for and until when. The link carries the code in its fragment, which no server sees:
   * neither a log nor a Referer holds it, and what a mail scanner opens consumes nothing (better-auth#9690).
   */
  code({ to, code, device, origin, now }: CodeMail): Mail {
    const site = new URL(origin).host;
    return this.#compose(to, `${groupCode(code)} is your code for ${site}`, {
      heading: `Your code for ${site}`,
      lines: [
        `Enter it in the browser where you asked for it (${device}).`,
        `It works once, until ${formatTime(now + codeSeconds * 1000)}.`,
      ],
      code: groupCode(code),
      link: { label: 'Or open this link there', url: `${origin}/login/code#${code}` },
      last: 'If you did not ask for it, ignore this mail: without the code nobody gets in.',
    });
  }

  /** That a browser which was not seen before has signed in, and how to end that. */
  notice({ to, device, endUrl, origin, now }: NoticeMail): Mail {
    const site = new URL(origin).host;
    return this.#compose(to, `New sign-in to ${site}`, {
      heading: `New sign-in to ${site}`,
      lines: [`${device} signed in with your address on ${formatTime(now)}.`, 'If that was you, all is well.'],
      link: { label: 'If it was not you, end that session here', url: endUrl },
      last: 'Then look at who else can read your mail: a code is sent to it each time somebody signs in.',
    });
  }

  #compose(to: string, subject: string, parts: Paragraphs): Mail {
    const { heading, lines, code, link, last } = parts;
    const blocks = [
      heading,
      ...(code === undefined ? [] : [code]),
      lines.join('\n'),
      `${link.label}:\n${link.url}`,
      last,
    ];
    return { to, subject, text: `${blocks.join('\n\n')}\n`, html: this.#html({ code: undefined, ...parts, subject }) };
  }
}
