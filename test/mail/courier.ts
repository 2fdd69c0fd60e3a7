import type { Delivered, Mail } from '../../src/features/mail/delivery.ts';
import { deriveSealKeys, type SealKeys, seal } from '../../src/features/mail/seal.ts';
import { SmtpClient } from '../../src/features/mail/smtp-client.ts';
import { defaultTimeouts, type SmtpServer, type Timeouts } from '../../src/features/mail/smtp-session.ts';
import { afterwards } from '../support/afterwards.ts';
import { testSecret } from '../support/app.ts';

export const testKeys = deriveSealKeys([testSecret]);
export const mail: Mail = {
  to: 'ann@example.com',
  subject: '1234 5678 is your code',
  text: '1234 5678',
  html: '<p>1234 5678</p>',
};

type Options = Partial<SmtpServer> & { port: number; timeouts?: Partial<Timeouts>; keys?: SealKeys };

/** A client of a mail server on this machine, in this thread. */
export function newSmtpClient({ timeouts, keys = testKeys, ...server }: Options): SmtpClient {
  const client = new SmtpClient(
    {
      server: {
        host: 'localhost',
        tls: 'opportunistic',
        credentials: undefined,
        clientName: 'login.example.com',
        ca: undefined,
        mailsPerSession: 50,
        ...server,
      },
      from: { name: 'Latchkey', address: 'login@example.com' },
      host: 'login.example.com',
      keys,
    },
    { ...defaultTimeouts, ...timeouts },
  );
  afterwards(() => client.close());
  return client;
}

let ids = 0;

/** Tries once to deliver a mail. */
export function deliver(client: SmtpClient, changes: Partial<Mail> = {}, id = newId()): Promise<Delivered> {
  const envelope = { mail: { ...mail, ...changes }, kind: 'code', about: {}, context: {} };
  const sealed = seal(testKeys, id, JSON.stringify(envelope));
  return client.deliver({ id, sealed, isWithheld: false, hasLapsed: false });
}

function newId(): string {
  ids += 1;
  return `mail-${ids}`;
}
