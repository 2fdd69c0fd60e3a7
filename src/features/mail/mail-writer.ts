import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ejs from 'ejs';
import { projectDirectory } from '../../project-directory.ts';
import type { SiteLook } from '../../shared/site-look.ts';
import type { Mail } from './delivery.ts';

const template = fileURLToPath(new URL('views/mail/mail.ejs', projectDirectory));

/** As in `public/style.css`, which mail programs do not load. */
export const ownColors = {
  light: { accent: '#3056d3', onAccent: '#ffffff', tint: '#e9eefd' },
  dark: { accent: '#93adff', onAccent: '#0e1836', tint: '#222c49' },
};

/** What a mail says: in a frame that all of them share, as text and as HTML. */
export type Paragraphs = {
  heading: string;
  /** Shown large, in the middle. */
  code?: string;
  lines: string[];
  link: { label: string; button: string; url: string };
  last: string[];
};

/** Writes mails, each as text and as HTML. */
export class MailWriter {
  readonly #html: ejs.TemplateFunction;

  readonly #look: SiteLook;

  constructor(look: SiteLook = {}) {
    this.#look = look;
    const options = { filename: template, strict: true, compileDebug: false, rmWhitespace: true };
    this.#html = ejs.compile(readFileSync(template, 'utf8'), options);
  }

  write(to: string, subject: string, paragraphs: Paragraphs): Mail {
    const { heading, lines, code, link, last } = paragraphs;
    const blocks = [
      heading,
      ...(code === undefined ? [] : [code]),
      lines.join('\n'),
      `${link.label}\n${link.url}`,
      last.join('\n'),
    ];
    const { colors = ownColors, logo } = this.#look;
    const look = { colors, logo: logo && { ...logo, url: new URL(logo.url, link.url).href } };
    const html = this.#html({ code: undefined, ...paragraphs, subject, ...look });
    return { to, subject, text: `${blocks.join('\n\n')}\n`, html };
  }
}
