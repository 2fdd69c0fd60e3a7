import { randomUUID } from 'node:crypto';
import type { Config } from '../../config.ts';
import type { EmailAddress } from '../../session/email-address.ts';
import type { Finding, SelfCheck } from '../../shared/operations.ts';
import { type Courier, type Delivered, needsSmtpUtf8Text } from './delivery.ts';
import { type SealKeys, seal } from './seal.ts';

/** Whether the mail server can be reached, by TLS, with the password, and takes a mail. */
export function checkMail(courier: Courier | undefined, keys: SealKeys, config: Config): SelfCheck {
  const what = 'mail server';
  async function run({ mailTo }: Parameters<SelfCheck['run']>[0]): Promise<Finding[]> {
    const { server } = config.mail;
    if (!courier || !server) {
      const problem = mailTo === undefined ? undefined : 'no mail was sent: set SMTP_URL';
      return [{ what, detail: 'none: SMTP_URL is not set', problem }];
    }
    try {
      const detail = `${server.host}:${server.port}, TLS ${server.tls}${server.credentials ? ', login' : ''}`;
      const problem = await courier.check(true);
      if (problem !== undefined || mailTo === undefined) return [{ what, detail, problem }];
      return [{ what, detail }, await sendMail(courier, keys, mailTo, config.siteName)];
    } finally {
      await courier.close();
    }
  }
  return { what, run };
}

async function sendMail(courier: Courier, keys: SealKeys, to: EmailAddress, siteName: string): Promise<Finding> {
  const text = `This is a test of the mail server, sent by the operator of ${siteName}.`;
  const mail = { to, subject: `Test of ${siteName}`, text: `${text}\n`, html: `<p>${escaped(text)}</p>` };
  const id = randomUUID();
  const sealed = seal(keys, id, JSON.stringify({ mail, kind: 'test', about: {}, context: {} }));
  const delivered = await courier.deliver({ id, sealed, isWithheld: false, hasLapsed: false, isTest: true });
  return { what: 'mail', detail: `to ${to}: ${replyText(delivered)}`, problem: problemOf(delivered) };
}

function problemOf(delivered: Delivered): string | undefined {
  if (delivered.outcome === 'accepted') return undefined;
  const { words, reply, outcome } = delivered;
  if (reply.code === 'ESMTPUTF8' && outcome === 'refused') return needsSmtpUtf8Text;
  const said = words === undefined ? outcome : `the mail server says "${words}"`;
  if ('problem' in delivered) return words === undefined ? delivered.problem : `${delivered.problem}; ${said}`;
  // Security and policy (RFC 3463, 3.8).
  return reply.enhanced?.startsWith('5.7.') || /\brelay/i.test(words ?? '')
    ? `${said}: check the user and the password in SMTP_URL, and MAIL_FROM`
    : `${said}: look for the mail in the log of the mail server`;
}

function replyText({ outcome, reply }: Delivered): string {
  const parts = [reply.reply, reply.enhanced, reply.code, reply.queueId && `queue id ${reply.queueId}`];
  return [outcome, ...parts.filter((part) => part !== undefined)].join(' ');
}

function escaped(text: string): string {
  return text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
}
