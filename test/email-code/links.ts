import type { ParsedMail } from 'mailparser';
import { keepOutOfLogs } from '../support/secrets.ts';

/** The link in a mail's text; what it carries grants something. */
export function linkIn(mail: Pick<ParsedMail, 'text'>): string {
  const [link = ''] = /https?:\S+/.exec(mail.text ?? '') ?? [];
  const token = new URL(link).searchParams.get('token');
  if (token !== null) keepOutOfLogs(token);
  return link;
}
