import { type AddressInfo, connect, createServer } from 'node:net';
import type { SMTPServerOptions } from 'smtp-server';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { SmtpClient } from '../../src/features/mail/smtp-client.ts';
import { explainProblem, judgeAttempt } from '../../src/features/mail/smtp-replies.ts';
import { parseAddress } from '../../src/session/email-address.ts';
import { afterwards } from '../support/afterwards.ts';
import { certificateFor } from '../support/certificate.ts';
import { freePort } from '../support/process.ts';
import { deliver, mail, newSmtpClient, sealed, smtpOptions, testKeys } from './courier.ts';
import { ownAddress, startMailServer } from './mail-server.ts';

const noTls: SMTPServerOptions = { hideSTARTTLS: true, disabledCommands: ['STARTTLS'] };
const server = await startMailServer();
const plain = await startMailServer(noTls);

/** A client as the settings describe it. */
function clientOf(env: Record<string, string>): SmtpClient {
  const { server: smtp, from, host } = readConfig(env).mail;
  if (!smtp) throw new Error('SMTP_URL is missing');
  return new SmtpClient({ server: smtp, from, host, keys: testKeys });
}

async function lastMail(count = server.inbox.length) {
  const mail = server.inbox[count - 1];
  if (!mail) throw new Error('there is no mail');
  return mail;
}

describe('the session', () => {
  test.each([
    ['https://login.example.com:8443', 'login.example.com'],
    ['http://bücher.example', 'xn--bcher-kva.example'],
    ['http://192.0.2.7:3000', '[192.0.2.7]'],
    // The test server converts it to lower case.
    ['http://[2001:db8::7]', '[ipv6:2001:db8::7]'],
  ])('uses the host of BASE_URL %s in EHLO', async (BASE_URL, name) => {
    const names: string[] = [];
    const listening = await startMailServer({
      onMailFrom: (_address, session, done) => {
        names.push(String(Reflect.get(session, 'hostNameAppearsAs')));
        done();
      },
    });
    const client = clientOf({ BASE_URL, TRUST_PROXY: '1', SMTP_URL: listening.url });
    expect(await deliver(client)).toMatchObject({ outcome: 'accepted' });
    expect(names).toEqual([name]);
    const messageId = listening.inbox[0]?.mail.messageId ?? '';
    expect(messageId.toLowerCase().endsWith(`@${name}>`)).toBe(true);
  });

  test('on loopback uses STARTTLS if the server offers it, with any certificate, and authenticates', async () => {
    const client = clientOf({ SMTP_URL: `smtp://ann:p%40ss%3A%2F%3F%23%25%C3%BC@localhost:${server.port}` });
    expect(await deliver(client)).toMatchObject({ outcome: 'accepted' });
    expect(await lastMail()).toMatchObject({ secure: true });
    expect(server.seen).toContain('ann:p@ss:/?#%ü');
  });

  test('on loopback is unencrypted if the server offers no STARTTLS, and authenticates', async () => {
    const client = clientOf({ SMTP_URL: `smtp://ann:secret@127.0.0.1:${plain.port}` });
    expect(await deliver(client)).toMatchObject({ outcome: 'accepted' });
    expect(plain.inbox.at(-1)).toMatchObject({ secure: false });
    expect(plain.seen).toContain('ann:secret');
  });

  test('to other hosts is encrypted, or neither mail nor password is sent', async () => {
    const [before, seen] = [plain.inbox.length, plain.seen.length];
    const client = clientOf({ SMTP_URL: `smtp://ann:secret@${ownAddress}:${plain.port}` });
    expect(await deliver(client)).toMatchObject({
      outcome: 'unavailable',
      problem: `${ownAddress}:${plain.port} does not offer STARTTLS: use smtps://, or ?tls=optional if the network is trusted`,
    });
    expect([plain.inbox.length, plain.seen.slice(seen)]).toEqual([before, ['greeting']]);
  });

  test('with ?tls=optional falls back to an untrusted certificate, and to no encryption', async () => {
    const optional = (port: number) => clientOf({ SMTP_URL: `smtp://ann:secret@${ownAddress}:${port}?tls=optional` });
    expect(await deliver(optional(server.port))).toMatchObject({ outcome: 'accepted' });
    expect(await lastMail()).toMatchObject({ secure: true });
    expect(await deliver(optional(plain.port))).toMatchObject({ outcome: 'accepted' });
    expect(plain.inbox.at(-1)).toMatchObject({ secure: false });
    // It offers STARTTLS, but only versions of TLS that Node no longer accepts.
    const old = await startMailServer({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1' });
    expect(await deliver(optional(old.port))).toMatchObject({ outcome: 'accepted' });
    expect(old.inbox).toMatchObject([{ secure: false }]);
  });

  test('on loopback is unencrypted if the server closes the connection in answer to STARTTLS', async () => {
    const commands: string[] = [];
    const inFront = createServer((client) => {
      const upstream = connect(plain.port, '127.0.0.1');
      for (const socket of [client, upstream]) {
        socket.on('error', () => {});
        socket.on('close', () => {
          client.destroy();
          upstream.destroy();
        });
      }
      upstream.on('data', (text) => client.write(String(text).replace('\r\n250 ', '\r\n250-STARTTLS\r\n250 ')));
      client.on('data', (text) => {
        commands.push(String(text).slice(0, 8));
        if (commands.at(-1) === 'STARTTLS') upstream.destroy();
        else upstream.write(text);
      });
    });
    await new Promise<void>((listening) => inFront.listen(0, '127.0.0.1', listening));
    afterwards(() => void inFront.close());
    const { port } = inFront.address() as AddressInfo;
    expect(await deliver(clientOf({ SMTP_URL: `smtp://127.0.0.1:${port}` }))).toMatchObject({ outcome: 'accepted' });
    expect(commands).toContain('STARTTLS');
    expect(plain.inbox.at(-1)).toMatchObject({ secure: false });
  });

  test.each(['STARTTLS', 'smtps'])('trusts the given CA, and no other (%s)', async (way) => {
    const certificate = certificateFor(ownAddress);
    const trusted = await startMailServer({ ...certificate, secure: way === 'smtps' });
    const options = { host: ownAddress, port: trusted.port, tls: way === 'smtps' ? 'implicit' : 'required' } as const;
    const untrusted = await deliver(newSmtpClient(options));
    expect(untrusted).toMatchObject({
      outcome: 'unavailable',
      problem: expect.stringContaining('is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)'),
    });
    expect(untrusted).toMatchObject({ problem: expect.stringMatching(/\): set CA_FILE to the CA that signed it$/) }); // feature: private-ca
    expect(await deliver(newSmtpClient({ ...options, ca: [certificate.cert] }))).toMatchObject({ outcome: 'accepted' });
    expect(trusted.inbox).toMatchObject([{ secure: true }]);
  });
});

describe('the check of the mail server finds', () => {
  const problemOf = async (url: string, timeouts = {}) => {
    const { server: smtp } = readConfig({ SMTP_URL: url }).mail;
    if (!smtp) throw new Error('SMTP_URL is missing');
    return newSmtpClient({ ...smtp, timeouts }).check();
  };

  test('nothing wrong with a server that is ready', async () => {
    expect(await problemOf(server.url)).toBeUndefined();
  });

  test('an unknown host name', async () => {
    expect(await problemOf('smtp://nowhere.invalid')).toBe('there is no host named nowhere.invalid: check SMTP_URL');
  });

  test('a certificate for another host', async () => {
    const certificate = certificateFor('mail.example.com');
    const other = await startMailServer({ ...certificate, secure: true });
    const client = newSmtpClient({ host: '127.0.0.1', port: other.port, tls: 'implicit', ca: [certificate.cert] });
    expect(await client.check()).toBe(
      `the certificate of 127.0.0.1:${other.port} is for another host: use a name that it was issued for`,
    );
  });

  test.each([
    ['CERT_HAS_EXPIRED', 'certificate has expired', 'mail.example.com:587 is not valid at this time'],
    ['ENETUNREACH', 'connect ENETUNREACH', 'mail.example.com:587 cannot be reached (ENETUNREACH)'],
    ['EAI_AGAIN', 'getaddrinfo EAI_AGAIN', 'mail.example.com cannot be looked up (EAI_AGAIN): check DNS'],
  ])('what cannot be had in a test: %s', (originalCode, message, problem) => {
    const code = originalCode === 'EAI_AGAIN' ? 'EDNS' : 'ESOCKET';
    const failure = Object.assign(new Error(message), { code, originalCode });
    const { server: smtp } = smtpOptions({ host: 'mail.example.com', port: 587 });
    expect(explainProblem(failure, smtp)).toContain(problem);
  });

  test('no fault in TLS where the server only uses the words of one', () => {
    const response = '550 5.7.1 the packet length too long';
    const failure = Object.assign(new Error(response), { code: 'EENVELOPE', response, responseCode: 550 });
    const { server: smtp } = smtpOptions({ host: 'mail.example.com', port: 587 });
    expect(explainProblem(failure, smtp)).toBe('mail.example.com:587 accepts no mail (550)');
  });

  test('a server that offers STARTTLS and cannot start it at the moment', async () => {
    const response = '454 4.7.0 TLS not available due to local problem';
    const details = { code: 'ETLS', command: 'STARTTLS', response, responseCode: 454 };
    const { server: smtp } = smtpOptions({ host: 'mail.example.com', port: 587 });
    expect(explainProblem(Object.assign(new Error('no'), details), smtp)).toBe(
      "mail.example.com:587 can't start TLS at the moment (454): look at its log, and at its certificate",
    );
  });

  test('a port on which nothing listens', async () => {
    const port = await freePort();
    expect(await problemOf(`smtp://127.0.0.1:${port}`)).toBe(
      `nothing listens on 127.0.0.1:${port}: check the port in SMTP_URL`,
    );
  });

  test('smtps:// and smtp:// mixed up', async () => {
    const tls = await startMailServer({ secure: true });
    expect(await problemOf(`smtps://localhost:${plain.port}`)).toContain('use smtp:// instead of smtps://');
    expect(await problemOf(`smtp://localhost:${tls.port}`, { openMs: 500 })).toContain('use smtps://');
  });

  test.each(['* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] no certificate needed', '+OK POP3', 'SSH-2.0-OpenSSH_9.2'])(
    'a server that speaks something else: %s',
    async (greeting) => {
      const other = createServer((socket) => socket.on('error', () => {}).write(`${greeting}\r\n`));
      await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening));
      afterwards(() => void other.close());
      const { port } = other.address() as AddressInfo;
      const problem = `127.0.0.1:${port} does not speak SMTP: check host and port in SMTP_URL`;
      expect(await problemOf(`smtp://127.0.0.1:${port}`)).toBe(problem);
    },
  );

  test.each(['STARTTLS', 'smtps'])('a server whose versions of TLS are too old (%s)', async (way) => {
    const old = await startMailServer({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', secure: way === 'smtps' });
    const url = `${way === 'smtps' ? 'smtps' : 'smtp'}://${ownAddress}:${old.port}`;
    expect(await problemOf(url)).toBe(`the TLS handshake with ${ownAddress}:${old.port} fails`);
  });

  test.each([
    [535, 'rejects the user or password in SMTP_URL'],
    [454, "can't check the password at the moment"],
    [504, 'offers none of the ways to log in that are supported: PLAIN, LOGIN, CRAM-MD5'],
    [538, 'takes the user and password in SMTP_URL over TLS only'],
  ])('a login that is answered %i', async (responseCode, problem) => {
    const strict = await startMailServer({
      onAuth: (_auth, _session, done) => done(Object.assign(new Error('no'), { responseCode })),
    });
    expect(await problemOf(`smtp://ann:wrong@localhost:${strict.port}`)).toBe(`localhost:${strict.port} ${problem}`);
  });

  test('what the server says in a reply is not taken for the failure of a certificate', async () => {
    server.failure = { at: 'sender', answer: 550, words: 'client certificate required' };
    expect(await deliver(newSmtpClient({ port: server.port }))).toMatchObject({
      outcome: 'unavailable',
      problem: expect.stringContaining('rejects the sender (550)'),
    });
    server.failure = undefined;
  });

  test('a server that turns clients away', async () => {
    server.failure = { at: 'greeting', answer: 554, words: 'no access' };
    expect(await problemOf(server.url)).toBe(`localhost:${server.port} accepts no mail (554)`);
    server.failure = { at: 'greeting', answer: 421 };
    expect(await problemOf(server.url)).toBe(`localhost:${server.port} accepts no mail at the moment (421)`);
    server.failure = undefined;
  });

  test('codes alone, and so does a delivery; only a test tells what the server said, which may quote the address', async () => {
    const client = newSmtpClient({ port: server.port });
    for (const at of ['greeting', 'recipient'] as const) {
      server.failure = { at, answer: 550, words: `5.7.1 <${mail.to}> ${'x'.repeat(400)}` };
      expect(JSON.stringify([await client.check(), await deliver(client)])).not.toContain('5.7.1 <');
      const { words } = await client.deliver({ ...sealed(), isTest: true });
      expect(words).toMatch(/^550 5\.7\.1 <ann@example\.com> x{10}/);
      expect(words).toHaveLength(300);
    }
    server.failure = undefined;
  });

  test('a server without authentication', async () => {
    const without = await startMailServer({ ...noTls, disabledCommands: ['STARTTLS', 'AUTH'] });
    expect(await problemOf(`smtp://ann:secret@localhost:${without.port}`)).toContain(
      'offers no authentication on this connection',
    );
  });
});

describe('a mail', () => {
  test.each([
    ['Example, Inc.: "Login" <login@example.com>', 'Example, Inc.: "Login"', 'login@example.com'],
    ['"Example, Inc." <login@example.com>', 'Example, Inc.', 'login@example.com'],
    [String.raw`"The \"best\" \\ site" <login@example.com>`, String.raw`The "best" \ site`, 'login@example.com'],
    [
      'Bücher & Söhne, 東京; (now) <Login@bücher.example>',
      'Bücher & Söhne, 東京; (now)',
      'Login@xn--bcher-kva.example',
    ],
    ['login@example.com', '', 'login@example.com'],
    ['<login@example.com>', '', 'login@example.com'],
  ])('comes from MAIL_FROM %s as one mailbox with that name', async (MAIL_FROM, name, address) => {
    expect(await deliver(clientOf({ SMTP_URL: server.url, MAIL_FROM }))).toMatchObject({ outcome: 'accepted' });
    const { mail } = await lastMail();
    // The parser converts the domain to Unicode; on the wire it is ASCII.
    expect(mail.from?.value).toEqual([{ name, address: address.replace('xn--bcher-kva', 'bücher') }]);
    expect(mail.headerLines.find(({ key }) => key === 'from')?.line).toContain(address);
  });

  test('is marked as automatic, so that no vacation responder answers (RFC 3834)', async () => {
    await deliver(clientOf({ SMTP_URL: server.url }));
    expect((await lastMail()).mail.headers.get('auto-submitted')).toBe('auto-generated');
  });

  test('has the same Message-ID at each attempt', async () => {
    const flaky = await startMailServer();
    const client = newSmtpClient({ port: flaky.port });
    flaky.failure = { at: 'data', answer: 451 };
    expect(await deliver(client, {}, 'one')).toMatchObject({ outcome: 'deferred' });
    flaky.failure = undefined;
    await deliver(client, {}, 'one');
    expect(flaky.inbox[0]?.mail.messageId).toBe('<one@login.example.com>');
  });

  test('has A-labels for international domains, which every server accepts', async () => {
    const parsed = parseAddress('Ann@Bücher.example');
    if ('problem' in parsed) throw new Error(parsed.problem);
    const ascii = await startMailServer({ hideSMTPUTF8: true });
    const client = clientOf({ SMTP_URL: ascii.url, MAIL_FROM: 'login@bücher.example' });
    expect(await deliver(client, { to: parsed.email })).toMatchObject({ outcome: 'accepted' });
    const lines = ascii.inbox[0]?.mail.headerLines.map(({ line }) => line);
    expect(lines).toContain('To: ann@xn--bcher-kva.example');
    expect(lines).toContain('From: login@xn--bcher-kva.example');
  });

  test.each([
    ['a..b@docomo.ne.jp', '"a..b"@docomo.ne.jp'],
    ['.a@docomo.ne.jp', '".a"@docomo.ne.jp'],
    ['a.@docomo.ne.jp', '"a."@docomo.ne.jp'],
    ['a.b@docomo.ne.jp', 'a.b@docomo.ne.jp'],
    ['"a..(b)"@example.com', '"a..(b)"@example.com'],
  ])('to %s goes to %s, quoted as RFC 5321 requires', async (to, recipient) => {
    // In its strict mode, this server would reject two dots even in quotes.
    const lenient = await startMailServer({ lenientAddressParsing: true });
    expect(await deliver(newSmtpClient({ port: lenient.port }), { to })).toMatchObject({ outcome: 'accepted' });
    expect(lenient.inbox.map((mail) => mail.to)).toEqual([[recipient]]);
  });

  test('to a non-ASCII local part needs SMTPUTF8', async () => {
    expect(await deliver(newSmtpClient({ port: server.port }), { to: 'jürgen@example.com' })).toMatchObject({
      outcome: 'accepted',
    });
    expect(await lastMail()).toMatchObject({ to: ['jürgen@example.com'] });
    const ascii = await startMailServer({ hideSMTPUTF8: true });
    expect(await deliver(newSmtpClient({ port: ascii.port }), { to: 'jürgen@example.com' })).toMatchObject({
      outcome: 'refused',
      reply: { code: 'ESMTPUTF8' },
    });
    expect([ascii.inbox, ascii.seen]).toEqual([[], ['greeting']]);
  });

  test('is tried again if the reply to its recipient has no code', () => {
    const details = { code: 'EENVELOPE', command: 'RCPT TO', response: 'Hello there' };
    const { server: smtp } = smtpOptions({ port: 587 });
    const letter = { from: 'login@example.com', to: mail.to, message: Buffer.alloc(0) };
    const outcome = judgeAttempt(Object.assign(new Error('no'), details), smtp, letter);
    expect(outcome).toEqual({ outcome: 'deferred' });
  });

  test('from a non-ASCII local part waits for a server with SMTPUTF8, and the operator is told', async () => {
    const ascii = await startMailServer({ hideSMTPUTF8: true });
    const client = clientOf({ SMTP_URL: ascii.url, MAIL_FROM: 'jürgen@example.com' });
    for (const to of ['ann@example.com', 'jörg@example.com']) {
      expect(await deliver(client, { to })).toMatchObject({
        outcome: 'unavailable',
        problem: `localhost:${ascii.port} does not support SMTPUTF8, which the address in MAIL_FROM needs`,
      });
    }
    const international = clientOf({ SMTP_URL: server.url, MAIL_FROM: 'jürgen@example.com' });
    expect(await deliver(international)).toMatchObject({ outcome: 'accepted' });
    expect(await lastMail()).toMatchObject({ from: 'jürgen@example.com' });
  });

  test('to a non-ASCII local part is refused alone if the server rejects SMTPUTF8 at MAIL FROM', async () => {
    const reluctant = await startMailServer({
      onMailFrom: ({ args }, _session, done) => {
        const isRefused = args && 'SMTPUTF8' in args;
        done(isRefused ? Object.assign(new Error('5.6.7 not here'), { responseCode: 553 }) : null);
      },
    });
    const client = newSmtpClient({ port: reluctant.port });
    expect(await deliver(client, { to: 'jürgen@example.com' })).toMatchObject({ outcome: 'refused' });
    expect(await deliver(client)).toMatchObject({ outcome: 'accepted' });
    // Where the sender needs it as well, every mail is rejected, and the operator is told.
    const ours = clientOf({ SMTP_URL: reluctant.url, MAIL_FROM: 'jürgen@example.com' });
    for (const to of ['ann@example.com', 'jörg@example.com']) {
      expect(await deliver(ours, { to })).toMatchObject({
        outcome: 'unavailable',
        problem: expect.stringContaining('rejects the sender (553)'),
      });
    }
  });

  test.each([
    ['2.0.0 Ok: queued as 4F2B11C0A5', { reply: 250, enhanced: '2.0.0', queueId: '4F2B11C0A5' }],
    ['OK id=1rAbCd-0001Ef-2G', { reply: 250, queueId: '1rAbCd-0001Ef-2G' }],
    [
      '2.0.0 3AKLw0Xy012345 Message accepted for delivery',
      { reply: 250, enhanced: '2.0.0', queueId: '3AKLw0Xy012345' },
    ],
    [
      '2.0.0 OK  1653776100 r33-20020a056870582100b000f169cbbb32sm1847208oap.43 - gsmtp',
      { reply: 250, enhanced: '2.0.0', queueId: 'r33-20020a056870582100b000f169cbbb32sm1847208oap.43' },
    ],
    ['Ok 0100018b5c3c0a4f-000000', { reply: 250, queueId: '0100018b5c3c0a4f-000000' }],
    ['1653776100', { reply: 250, queueId: '1653776100' }],
    ['abcdef message accepted for delivery', { reply: 250, queueId: 'abcdef' }],
    ['Accepted', { reply: 250 }],
    ['2.6.0 Success', { reply: 250, enhanced: '2.6.0' }],
    ['2.6.0 <x@y> [InternalId=12345, Hostname=z] Queued', { reply: 250, enhanced: '2.6.0', queueId: '12345' }],
    ['accepted for ann@example.com', { reply: 250 }],
  ])('is logged with the queue id in: 250 %s', async (words, reply) => {
    const talking = await startMailServer({
      onData: (stream, _session, done) => {
        stream.resume();
        stream.once('end', () => Reflect.apply(done, undefined, [null, words]));
      },
    });
    expect((await deliver(newSmtpClient({ port: talking.port }))).reply).toEqual(reply);
  });
});
