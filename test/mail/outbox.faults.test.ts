import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Courier } from '../../src/features/mail/delivery.ts';
import { type Claim, Queue } from '../../src/features/mail/queue.ts';
import { commandsFor } from '../support/commands.ts';
import { mail, newSmtpClient } from './courier.ts';
import { type Failure, startMailServer } from './mail-server.ts';
import { newOutbox, quickPolicy, scripted, soon, useOutboxes } from './outbox-rig.ts';

const { redis, node, server, start } = await useOutboxes();

const neverAnswers = () => scripted(() => new Promise(() => {}));

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

  test.each([1, 2, 3])('that accepts %i connections at once gets all mail', async (maxClients) => {
    const small = await startMailServer({ maxClients });
    const { enqueue, accepted, failed } = start({
      courier: newSmtpClient({ port: small.port }),
      limits: { connections: 5 },
    });
    await Promise.all(Array.from({ length: 30 }, (_, count) => enqueue({ to: `ann@domain-${count}.example` })));
    await expect.poll(() => accepted, soon).toHaveLength(30);
    expect([failed, small.inbox.length]).toEqual([[], 30]);
  });

  test.each([1, 2, 3])('that accepts %i mails over one connection gets all mail', async (maxMails) => {
    const mails = new Map<string, number>();
    const strict = await startMailServer({
      onMailFrom: (_address, { id }, done) => {
        mails.set(id, (mails.get(id) ?? 0) + 1);
        if ((mails.get(id) ?? 0) <= maxMails) done();
        else done(Object.assign(new Error('4.7.0 enough for one connection'), { responseCode: 421 }));
      },
    });
    const { enqueue, accepted, logged } = start({ courier: newSmtpClient({ port: strict.port }) });
    await Promise.all(Array.from({ length: 12 }, () => enqueue()));
    await expect.poll(() => accepted, soon).toHaveLength(12);
    expect([logged('mail deferred'), logged('mail cannot be sent'), strict.inbox.length]).toEqual([[], [], 12]);
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

  test('gets no more mails in a minute than SMTP_MAILS_PER_MINUTE', async () => {
    const { enqueue, accepted } = start({ limits: { connections: 1, mailsPerMinute: 1200 } });
    await Promise.all(Array.from({ length: 11 }, () => enqueue()));
    const startedAt = performance.now();
    await expect.poll(() => accepted, soon).toHaveLength(11);
    expect(performance.now() - startedAt).toBeGreaterThan(450);
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

  test('that SMTP cannot express is refused without asking the server', async () => {
    const { enqueue, failed } = start();
    await enqueue({ to: '"a<b>c"@example.com' });
    await expect.poll(() => failed, soon).toEqual(['1']);
    expect(server.seen.filter((step) => step !== 'greeting')).toEqual([]);
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

  test('’s domain gets half of the connections at most, and other domains get their turn', async () => {
    const underWay = new Map<string, number>();
    let maxUnderWay = 0;
    const delivered: string[] = [];
    const { enqueue } = start({
      limits: { connections: 4 },
      courier: newSmtpClient({
        port: (
          await startMailServer({
            onRcptTo: async ({ address }, _session, done) => {
              const domain = address.split(/[@.]/).slice(-2).join('.');
              underWay.set(domain, (underWay.get(domain) ?? 0) + 1);
              maxUnderWay = Math.max(maxUnderWay, underWay.get(domain) ?? 0);
              await sleep(20);
              underWay.set(domain, (underWay.get(domain) ?? 1) - 1);
              delivered.push(domain);
              done();
            },
          })
        ).port,
      }),
    });
    for (let count = 1; count <= 30; count += 1) await enqueue({ to: `ann@sub-${count}.large.example` });
    await enqueue({ to: 'ann@small.example' });
    await expect.poll(() => delivered, soon).toHaveLength(31);
    expect(maxUnderWay).toBe(2);
    expect(delivered.indexOf('small.example')).toBeLessThan(20);
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

describe('several processes', () => {
  test('share the work, and send no mail twice', async () => {
    const parts = Array.from({ length: 3 }, () => start({ courier: newSmtpClient({ port: server.port }) }));
    await Promise.all(
      Array.from({ length: 90 }, (_, count) => parts[count % 3]?.enqueue({ to: `ann@domain-${count}.example` })),
    );
    await expect.poll(() => parts.flatMap(({ accepted }) => accepted).length, soon).toBe(90);
    expect(new Set(server.inbox.flatMap(({ to }) => to)).size).toBe(90);
    expect(server.inbox).toHaveLength(90);
  });

  test('share the limit of connections', async () => {
    let max = 0;
    let now = 0;
    const courier = () =>
      scripted(async () => {
        now += 1;
        max = Math.max(max, now);
        await sleep(10);
        now -= 1;
        return { outcome: 'accepted', reply: {} };
      });
    const parts = [start({ courier: courier() }), start({ courier: courier() })];
    for (let count = 1; count <= 20; count += 1)
      await parts[count % 2]?.enqueue({ priority: 'high', to: `a@${count}.example` });
    await expect.poll(() => node.keys('{outbox}:mail:*'), soon).toEqual([]);
    expect(max).toBe(2);
  });

  test('take over what a killed one was delivering, as soon as its lease has expired', async () => {
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

  test('that have nothing to do ask Redis once in half a minute, and take over what others have left there', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const idle = start({});
    const halfAMinute = () => vi.advanceTimersByTimeAsync(30_000);
    expect(await commandsFor(node, halfAMinute)).toEqual({ exists: '1' });
    await newOutbox({ redis, courier: neverAnswers() }).enqueue();
    await halfAMinute();
    await expect.poll(() => idle.accepted, soon).toHaveLength(1);
  });

  test('deliver at once what they have leased without learning of it, because a reply was lost', async () => {
    const limits = { connections: 5, ordinaryConnections: 5, connectionsPerDomain: 5, mailsPerMinute: 60_000 };
    const queue = new Queue(redis, 'this process');
    const own = { lane: 'normal', domain: 'a', sealed: 'x', ttlSeconds: 60, delayMs: 0 } as const;
    await queue.enqueue({ ...own, id: 'in progress' });
    await queue.enqueue({ ...own, id: 'unknown' });
    const idsOf = ({ jobs }: Claim) => jobs.map(({ id }) => id);
    expect(idsOf(await queue.claim([], limits, [])).sort()).toEqual(['in progress', 'unknown']);
    expect(idsOf(await new Queue(redis, 'another').claim([], limits, []))).toEqual([]);
    expect(idsOf(await queue.claim(['in progress'], limits, []))).toEqual(['unknown']);
  });

  test('break off nothing for mail that they leave to another process', async () => {
    const limits = { connections: 0, ordinaryConnections: 0, connectionsPerDomain: 5, mailsPerMinute: 60_000 };
    const queue = new Queue(redis, 'this process');
    const own = { lane: 'high', sealed: 'x', ttlSeconds: 60, delayMs: 0 } as const;
    await queue.enqueue({ ...own, id: 'unreadable', domain: 'a' });
    expect((await queue.claim([], limits, ['unreadable'])).isWaiting.high).toBe(false);
    await queue.enqueue({ ...own, id: 'readable', domain: 'b' });
    expect((await queue.claim([], limits, ['unreadable'])).isWaiting.high).toBe(true);
  });

  test('keep their leases while they deliver', async () => {
    const slow = start({ courier: neverAnswers() });
    await slow.enqueue();
    await expect.poll(() => node.zCard('{outbox}:leases'), soon).toBe(1);
    const [first] = await node.zRangeWithScores('{outbox}:leases', 0, -1);
    const renewed = async () => (await node.zRangeWithScores('{outbox}:leases', 0, -1))[0]?.score ?? 0;
    await expect.poll(renewed, soon).toBeGreaterThan(first?.score ?? 0);
  });
});

describe('stopping', () => {
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
