import MailComposer from 'nodemailer/lib/mail-composer';
import type { Mail } from './delivery.ts';
import type { Sender } from './sender.ts';

/**
 * Writes a mail as RFC 5322 has it.
 * @param id the same at each try, so that a mailbox which gets a mail twice can tell
 * @param host of the site
 */
export function writeMessage(mail: Mail, options: { id: string; from: Sender; host: string }): Promise<Buffer> {
  const { id, from, host } = options;
  const { to, subject, text, html } = mail;
  const composer = new MailComposer({
    from,
    // As an object, since a text would be read as a list of recipients, and lose its quotes.
    to: { name: '', address: to },
    ...{ subject, text, html },
    messageId: `<${id}@${host}>`,
    // Nobody's vacation answers it (RFC 3834, 5).
    headers: { 'Auto-Submitted': 'auto-generated' },
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return composer.compile().build();
}
