import { formatTime } from '../../http/date-format.ts';
import type { SiteLook } from '../../shared/site-look.ts';
import type { Mail } from '../mail/delivery.ts';
import { MailWriter } from '../mail/mail-writer.ts';
import { codeSeconds } from './challenges.ts';
import { groupCode } from './code.ts';
import type { ProofInWords } from './new-browser.ts';

export type CodeMail = { to: string; code: string; device: string; origin: string; now: number };
export type NoticeMail = { to: string; device: string; proof?: ProofInWords; endUrl: string; now: number };

const codeInWords: ProofInWords = {
  means: 'your address',
  advice: 'Then find out who else can read your mail: a code is sent to it each time somebody signs in.',
};

/** Writes the mails of sign-in by code, each as text and as HTML. */
export class MailTemplates {
  readonly #siteName: string;
  readonly #writer: MailWriter;

  constructor(siteName: string, look?: SiteLook) {
    this.#siteName = siteName;
    this.#writer = new MailWriter(look);
  }

  /**
   * The code, what it is for and how long it works. The link carries the code in its fragment, which no server sees:
   * neither a log nor a Referer holds it, and what a mail scanner opens consumes nothing (better-auth#9690).
   */
  code({ to, code, device, origin, now }: CodeMail): Mail {
    const site = this.#siteName;
    return this.#writer.write(to, `${groupCode(code)} is your code for ${site}`, {
      heading: `Your code for ${site}`,
      lines: [
        `Enter it in the browser where you asked for it (${device}).`,
        `It works once, for ten minutes: until ${formatTime(now + codeSeconds * 1000)}.`,
      ],
      code: groupCode(code),
      link: {
        label: 'Or open this link in that browser, to have the code filled in:',
        button: 'Fill in the code',
        url: `${origin}/login/code#${code}`,
      },
      last: [
        'Nobody will ask you for this code, whether by phone, by mail or in a chat. Enter it on our page only.',
        'If you did not ask for it, ignore this mail: nobody gets in without the code.',
      ],
    });
  }

  /** Reports a sign-in from a browser that was not seen before, and how to end it. */
  notice({ to, device, proof: { means, advice } = codeInWords, endUrl, now }: NoticeMail): Mail {
    const site = this.#siteName;
    return this.#writer.write(to, `New sign-in to ${site}`, {
      heading: `New sign-in to ${site}`,
      lines: [`${device} signed in with ${means} on ${formatTime(now)}.`, 'If this was you, there is nothing to do.'],
      link: { label: 'If it was not you, end that session here:', button: 'End that session', url: endUrl },
      last: [advice],
    });
  }
}
