import { describe, expect, test } from 'vitest';
import type { Courier } from '../../src/features/mail/delivery.ts';
import { SmtpThread } from '../../src/features/mail/smtp-thread.ts';
import { createLogger } from '../../src/log.ts';
import { mail, newSmtpClient, smtpOptions } from './courier.ts';
import { type Failure, startMailServer } from './mail-server.ts';
import { neverAnswers, newOutbox, quickPolicy, scripted, soon, useOutboxes } from './outbox-rig.ts';

const { redis, node, server, start } = await useOutboxes();

describe('a mail server', () => {
  test.each<[string, Failure, string]>([
    [
      'accepts no sender at the moment',
      { at: 'sender', answer: 451 },
      `localhost:${server.port} accepts no mail at the moment (451)`,
    ],
    [
      'closes the connection',
      { at: 'greeting', answer: 421 },
      `localhost:${server.port} accepts no mail at the moment (421)`,
    ],
    [
      'rejects the sender',
      { at: 'sender', answer: 550 },
      `localhost:${server.port} rejects the sender (550): check MAIL_FROM, and whether SMTP_URL needs a user`,
    ],
  ])('that %s gets a pause, and afterwards all mail', async (_what, failure, problem) => {
    server.failure = failure;
    const startedAt = performance.now();
    const { enqueue, accepted, failed, logged } = start();
    for (let mails = 1; mails <= 10; mails += 1) await enqueue();
    await expect.poll(() => logged('mail cannot be sent'), soon).toMatchObject([{ problem }]);
    const tries = () => server.seen.filter((step) => step === failure.at).length;
    await expect.poll(tries, soon).toBeGreaterThanOrEqual(8);
    const pauses = (performance.now() - startedAt) / (0.9 * quickPolicy.minPauseMs);
    // The check at the start, one mail on each of two connections, and one after each pause.
    expect(tries()).toBeLessThanOrEqual(3 + pauses);
    server.failure = undefined;
    await expect.poll(() => accepted, soon).toHaveLength(10);
    expect([failed, logged('mail deferred'), logged('mail cannot be sent').length]).toEqual([[], [], 1]);
    expect(logged('mail is being sent again')).toHaveLength(1);
    expect(server.inbox).toHaveLength(10);
  });

  test('that is unreachable is logged once, and gets all mail once it is back', async () => {
    const { enqueue, accepted, logged } = start();
    await server.stop();
    for (let mails = 1; mails <= 10; mails += 1) await enqueue();
    await expect.poll(() => logged('mail cannot be sent'), soon).toHaveLength(1);
    await server.start();
    await expect.poll(() => accepted, soon).toHaveLength(10);
    expect(server.inbox).toHaveLength(10);
  });

  test('that dies in the middle of DATA gets the mail again, once', async () => {
    const { enqueue, accepted, failed } = start();
    server.failure = { at: 'data', answer: 'silence' };
    await enqueue();
    await expect.poll(() => server.seen, soon).toContain('data');
    await server.stop();
    server.failure = undefined;
    await server.start();
    await expect.poll(() => accepted, soon).toHaveLength(1);
    expect([failed, server.inbox.length]).toEqual([[], 1]);
  });
});

describe('a recipient', () => {
  // A stranger who types an address must not be able to make the mail server look broken.
  test('that is greylisted gets the mail later, and the server counts as available', async () => {
    server.failure = { at: 'recipient', answer: 450 };
    const { enqueue, accepted, logged } = start();
    await enqueue();
    await expect.poll(() => logged('mail deferred').length, soon).toBeGreaterThan(1);
    server.failure = undefined;
    await expect.poll(() => accepted, soon).toHaveLength(1);
    expect(logged('mail deferred')[0]).toMatchObject({ id: 'r1', mail: 'code', reply: 450, outcome: 'deferred' });
    expect([logged('mail cannot be sent'), server.inbox.length]).toEqual([[], 1]);
  });

  test('that is greylisted gets the mail also if Redis has become full meanwhile', async () => {
    server.failure = { at: 'recipient', answer: 450 };
    const { enqueue, accepted, logged } = start();
    await enqueue();
    await expect.poll(() => logged('mail deferred').length, soon).toBeGreaterThan(0);
    await node.configSet('maxmemory', '1');
    try {
      const before = logged('mail deferred').length;
      await expect.poll(() => logged('mail deferred').length, soon).toBeGreaterThan(before + 2);
      server.failure = undefined;
      await expect.poll(() => accepted, soon).toHaveLength(1);
      expect(logged('outbox is waiting for Redis')).toEqual([]);
    } finally {
      await node.configSet('maxmemory', '0');
    }
  });

  test.each<Failure>([
    { at: 'recipient', answer: 550, words: '5.1.1 user unknown' },
    { at: 'data', answer: 554, words: '5.6.0 looks like spam' },
    { at: 'data', answer: 550, words: '5.1.1 user unknown' },
  ])('that the server rejects is tried once, and onFailed is called ($at, $words)', async (failure) => {
    server.failure = failure;
    const { enqueue, accepted, failed, logged } = start();
    await enqueue();
    await expect.poll(() => failed, soon).toEqual(['1']);
    expect(logged('mail not sent')).toMatchObject([
      { id: 'r1', mail: 'code', reply: failure.answer, enhanced: failure.words?.slice(0, 5) },
    ]);
    expect([accepted, logged('mail cannot be sent')]).toEqual([[], []]);
    expect(server.seen.filter((step) => step === failure.at)).toHaveLength(1);
    await expect.poll(() => node.keys('{outbox}:mail:*'), soon).toEqual([]);
  });

  test('gets no expired mail, and onFailed is called', async () => {
    server.failure = { at: 'recipient', answer: 450 };
    const { enqueue, accepted, failed, logged } = start();
    await enqueue({ ttlSeconds: 1 });
    await expect.poll(() => failed, soon).toEqual(['1']);
    server.failure = undefined;
    expect(logged('mail not sent')).toMatchObject([{ mail: 'code', reason: 'it could not be delivered in time' }]);
    await enqueue({ to: 'bob@example.com' });
    await expect.poll(() => accepted, soon).toEqual(['2']);
    expect(server.inbox).toMatchObject([{ to: ['bob@example.com'] }]);
  });

  test('of high priority waits neither for strangers nor for their slow domains', async () => {
    const slow = await startMailServer({
      onRcptTo: ({ address }, _session, done) => {
        if (address.includes('slow')) return;
        done();
      },
    });
    const smtp = newSmtpClient({ port: slow.port });
    // Nothing is broken off, so that only a connection that strangers can't take makes way.
    const courier: Courier = {
      ...{ deliver: (sealed) => smtp.deliver(sealed), breakOff: () => {} },
      ...{ check: () => smtp.check(), close: () => smtp.close() },
    };
    const { outbox, enqueue, accepted, logged } = newOutbox({ redis, courier });
    for (let count = 1; count <= 20; count += 1) await enqueue({ to: `ann@slow-${count}.example` });
    outbox.start();
    await expect.poll(() => slow.seen, soon).toContain('sender');
    await enqueue({ priority: 'high' });
    await expect.poll(() => accepted, soon).toEqual(['21']);
    expect(logged('mail deferred')).toEqual([]);
    await outbox.stop();
  });

  test('of high priority does not wait for a slow domain on the only connection either', async () => {
    const slow = await startMailServer({
      onRcptTo: ({ address }, _session, done) => {
        if (address.includes('slow')) return;
        done();
      },
    });
    const { enqueue, accepted, logged } = start({
      courier: newSmtpClient({ port: slow.port }),
      limits: { connections: 1 },
    });
    await enqueue({ to: 'ann@slow.example' });
    await expect.poll(() => slow.seen, soon).toContain('sender');
    await enqueue({ priority: 'high' });
    await expect.poll(() => accepted, soon).toEqual(['2']);
    expect(logged('mail deferred')).toMatchObject([{ id: 'r1', outcome: 'slow' }]);
  });

  test('that is slow is waited for while no other mail waits for the connection', async () => {
    const slow = await startMailServer({ onRcptTo: (_address, _session, done) => setTimeout(done, 1500) });
    const { enqueue, accepted, logged } = start({ courier: newSmtpClient({ port: slow.port }) });
    await enqueue();
    await expect.poll(() => accepted, soon).toEqual(['1']);
    expect(logged('mail deferred')).toEqual([]);
  });

  test('whose mail other mail waits for is broken off, and gets it later', async () => {
    let attempts = 0;
    const slow = await startMailServer({
      onRcptTo: ({ address }, _session, done) => {
        if (address.includes('slow')) attempts += 1;
        // The first attempt is never answered.
        if (!address.includes('slow') || attempts > 1) done();
      },
    });
    const { enqueue, accepted, logged } = start({ courier: newSmtpClient({ port: slow.port }) });
    await enqueue({ to: 'ann@slow.example' });
    await expect.poll(() => attempts, soon).toBe(1);
    await enqueue();
    await expect.poll(() => accepted, soon).toEqual(['2', '1']);
    expect(logged('mail deferred')[0]).toMatchObject({ id: 'r1', outcome: 'slow' });
  });

  test('that the server defers does not hold up other recipients, even if there are many', async () => {
    const choosy = await startMailServer({
      onRcptTo: ({ address }, _session, done) => {
        if (!address.includes('odd')) return done();
        done(Object.assign(new Error('4.1.2 domain not found'), { responseCode: 450 }));
      },
    });
    const policy = { minPauseMs: 60_000, maxPauseMs: 60_000 };
    const { enqueue, accepted, logged } = start({ courier: newSmtpClient({ port: choosy.port }), policy });
    for (let count = 1; count <= 10; count += 1) await enqueue({ to: `ann@odd-${count}.example` });
    await expect.poll(() => logged('mail deferred').length, soon).toBeGreaterThanOrEqual(10);
    await enqueue();
    await expect.poll(() => accepted, soon).toEqual(['11']);
  });
});

describe('a mail that makes the courier fail', () => {
  test('is retried, logged without its text, and holds up no other mail', async () => {
    const seen: string[] = [];
    const { enqueue, accepted, logged, lines } = start({
      limits: { connections: 1 },
      courier: scripted(async ({ id }) => {
        seen.push(id);
        if (id === seen[0]) throw new TypeError(`cannot send 1234 5678 to ${mail.to}`);
        return { outcome: 'accepted', reply: {}, envelope: { kind: 'code', about: {}, context: { number: '2' } } };
      }),
    });
    await enqueue();
    await expect.poll(() => seen.length, soon).toBeGreaterThan(1);
    await enqueue();
    await expect.poll(() => accepted, soon).toEqual(['2']);
    const frames = expect.stringContaining('outbox.faults.test.ts');
    const line = { messageId: seen[0], error: { type: 'TypeError', stack: frames } };
    expect(logged('attempt to deliver a mail failed')[0]).toMatchObject(line);
    expect(logged('mail deferred')[0]).toMatchObject({ code: 'EINTERNAL' });
    expect(JSON.stringify(lines())).not.toContain(mail.to);
  });
});

test('a mail that a killed process was delivering is delivered by another, as soon as its lease has expired', async () => {
  const killed = start({ courier: neverAnswers() });
  await killed.enqueue();
  await expect.poll(() => node.zCard('{outbox}:leases'), soon).toBe(1);
  const heir = start({ limits: { connections: 4 } });
  await heir.enqueue({ to: 'bob@example.com' });
  await expect.poll(() => heir.accepted, soon).toHaveLength(1);
  expect(server.inbox).toMatchObject([{ to: ['bob@example.com'] }]);
  const [id = ''] = await node.zRange('{outbox}:leases', 0, -1);
  await node.zAdd('{outbox}:leases', { score: 1, value: id });
  await heir.enqueue({ withheld: true });
  await expect.poll(() => server.inbox, soon).toHaveLength(2);
  await heir.outbox.stop();
  await killed.outbox.stop();
  expect(server.inbox).toMatchObject([{ to: ['bob@example.com'] }, { to: [mail.to] }]);
});

describe('stopping', () => {
  test('logs nothing of a check that it cuts short', async () => {
    const thread = new SmtpThread(smtpOptions({ port: server.port }), createLogger('silent'));
    server.failure = { at: 'greeting', answer: 'silence' };
    const { outbox, lines } = start({ courier: thread });
    await expect.poll(() => server.seen, soon).toContain('greeting');
    await outbox.stop();
    expect(lines()).toEqual([]);
  });

  test('sends what can be sent at once, and leaves the rest in Redis for the next start', async () => {
    const first = start();
    await first.enqueue();
    await first.outbox.stop();
    expect(server.inbox).toHaveLength(1);
    server.failure = { at: 'recipient', answer: 450 };
    const second = start();
    await second.enqueue();
    await expect.poll(() => second.logged('mail deferred').length, soon).toBeGreaterThan(0);
    await second.outbox.stop();
    server.failure = undefined;
    start();
    await expect.poll(() => server.inbox, soon).toHaveLength(2);
  });

  test.each<Failure>([
    { at: 'greeting', answer: 'silence' },
    { at: 'recipient', answer: 'silence' },
    { at: 'data', answer: 'silence' },
  ])('does not wait for a mail server that stops responding ($at), and loses no mail', async (failure) => {
    server.failure = failure;
    const { enqueue, outbox } = start();
    await enqueue();
    await expect.poll(() => server.seen, soon).toContain(failure.at);
    const startedAt = performance.now();
    await outbox.stop();
    expect(performance.now() - startedAt).toBeLessThan(2500);
    expect(await node.keys('{outbox}:mail:*')).toHaveLength(1);
  });
});
