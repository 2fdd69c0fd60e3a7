import MailComposer from 'nodemailer/lib/mail-composer';
import type { Mail } from './delivery.ts';
import type { Sender } from './sender.ts';

/**
 * Composes a mail according to RFC 5322.
 * @param id the same at each attempt, so that a mailbox which gets the mail twice can recognize it
 * @param host the site's
 */
export function writeMessage(mail: Mail, options: { id: string; from: Sender; host: string }): Promise<Buffer> {
  const { id, from, host } = options;
  const { to, subject, text, html } = mail;
  const composer = new MailComposer({
    from,
    // As an object: a string would be parsed as a list of recipients, and lose its quotes.
    to: { name: '', address: to },
    ...{ subject, text, html },
    messageId: `<${id}@${host}>`,
    // No vacation responder answers it (RFC 3834, 5).
    headers: { 'Auto-Submitted': 'auto-generated' },
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return composer.compile().build();
}
