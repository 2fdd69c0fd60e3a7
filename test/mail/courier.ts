import type { Delivered, Mail, Sealed } from '../../src/features/mail/delivery.ts';
import { deriveSealKeys, type SealKeys, seal } from '../../src/features/mail/seal.ts';
import { SmtpClient, type SmtpOptions } from '../../src/features/mail/smtp-client.ts';
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

/** The options of a client of a mail server on this machine. */
export function smtpOptions({ keys = testKeys, ...server }: Omit<Options, 'timeouts'>): SmtpOptions {
  return {
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
  };
}

/** A client of a mail server on this machine, in the main thread. */
export function newSmtpClient({ timeouts, ...options }: Options): SmtpClient {
  const client = new SmtpClient(smtpOptions(options), { ...defaultTimeouts, ...timeouts });
  afterwards(() => client.close());
  return client;
}

let ids = 0;

/** Tries once to deliver a mail. */
export function deliver(client: SmtpClient, changes: Partial<Mail> = {}, id?: string): Promise<Delivered> {
  return client.deliver(sealed(changes, id));
}

/** A mail as the queue has it. */
export function sealed(changes: Partial<Mail> = {}, id = newId()): Sealed {
  const envelope = { mail: { ...mail, ...changes }, kind: 'code', about: {}, context: {} };
  return { id, sealed: seal(testKeys, id, JSON.stringify(envelope)), isWithheld: false, hasLapsed: false };
}

function newId(): string {
  ids += 1;
  return `mail-${ids}`;
}
