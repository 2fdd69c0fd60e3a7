import type { Mail, Transport } from '../../features/mail/mailer.ts';

const kept = 20;

/** A mail server that only keeps what it is given: for trying out sign-in by code without one, in development. */
export class MailCatcher implements Transport {
  /** The last mails, newest first. */
  readonly mails: Mail[] = [];

  async sendMail(mail: Mail): Promise<void> {
    this.mails.unshift(mail);
    this.mails.splice(kept);
  }

  close(): void {}
}
