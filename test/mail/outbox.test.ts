import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { MailCatcher } from '../../src/dev/mail/mail-catcher.ts';
import type { Courier, Delivered } from '../../src/features/mail/delivery.ts';
import { type Claim, Queue } from '../../src/features/mail/queue.ts';
import { deriveSealKeys } from '../../src/features/mail/seal.ts';
import { type Figure, figures } from '../../src/shared/figures.ts';
import { personEvents } from '../../src/shared/person-events.ts';
import { testSecret } from '../support/app.ts';
import { commandsFor } from '../support/commands.ts';
import { mail, newSmtpClient, testKeys } from './courier.ts';
import { startMailServer } from './mail-server.ts';
import { neverAnswers, newOutbox, quickPolicy, scripted, soon, useOutboxes } from './outbox-rig.ts';

const { redis, node, server, start } = await useOutboxes();

describe('a mail in Redis', () => {
  test('shows neither address nor code nor domain, and all its keys expire', async () => {
    const { enqueue } = newOutbox({ redis, courier: neverAnswers() });
    // A shorter name, such as ann, stands in what is encrypted by chance.
    await enqueue({ to: 'recipient@mailbox.example' });
    const names = await node.keys('*');
    expect(names.length).toBeGreaterThan(3);
    for (const name of names) {
      expect(await node.pTTL(name), name).toBeGreaterThan(0);
      const dump = `${name} ${await node.dump(name)}`;
      for (const secret of ['recipient', 'mailbox', 'example', '1234 5678', '12345678'])
        expect(dump).not.toContain(secret);
    }
  });

  test('is decrypted by any of the secrets, and waits for a process that has its secret', async () => {
    const other = deriveSealKeys(['another secret for the tests, of 32 characters']);
    await newOutbox({ redis, courier: neverAnswers() }).enqueue();
    const blind = start({ keys: other, courier: newSmtpClient({ port: server.port, keys: other }), policy: {} });
    await expect.poll(() => blind.logged('mail deferred'), soon).not.toHaveLength(0);
    const [deferred] = blind.logged('mail deferred');
    expect(deferred).toMatchObject({ outcome: 'unreadable' });
    // Soon, since a process that has the secret may be waiting for it.
    expect(Number(deferred?.retryInSeconds)).toBeLessThan(0.2);
    expect(blind.failed).toEqual([]);
    await blind.outbox.stop();
    const both = deriveSealKeys(['another secret for the tests, of 32 characters', testSecret]);
    start({ keys: both, courier: newSmtpClient({ port: server.port, keys: both }) });
    await expect.poll(() => server.inbox, soon).toHaveLength(1);
  });

  test('is left to the processes that have its secret', async () => {
    const keys = deriveSealKeys(['another secret for the tests, of 32 characters']);
    const processes = [
      start({ policy: {} }),
      start({ keys, courier: newSmtpClient({ port: server.port, keys }), policy: {} }),
    ];
    for (let number = 0; number < 10; number += 1) await Promise.all(processes.map(({ enqueue }) => enqueue()));
    await expect.poll(() => server.inbox, soon).toHaveLength(20);
    // Each mail is deferred at most once: by the process that has not got its secret.
    for (const { logged } of processes) expect(logged('mail deferred').length).toBeLessThanOrEqual(10);
  });

  test('is removed once the server has accepted it, and the log has the reply but no address', async () => {
    const { enqueue, accepted, logged, lines } = start();
    await enqueue();
    await expect.poll(() => accepted, soon).toEqual(['1']);
    expect(server.inbox).toMatchObject([{ to: [mail.to], from: 'login@example.com' }]);
    expect(logged('mail sent')).toMatchObject([{ id: 'r1', mail: 'code', reply: 250, seconds: expect.any(Number) }]);
    expect(JSON.stringify(lines().map(({ time, ...line }) => line))).not.toMatch(/1234 ?5678|ann@/);
    expect((await node.keys('*')).filter((name) => name !== '{outbox}:rate')).toEqual([]);
  });

  test('is told of as delivered also if it has no reply, as in the mail catcher', async () => {
    const whats: string[] = [];
    onTestFinished(personEvents.subscribe(({ what }) => void whats.push(what)));
    const { outbox } = start({ courier: new MailCatcher().courier(testKeys) });
    const delivery = { priority: 'high', ttlSeconds: 600, about: { id: 'r1', person: 'tag' }, context: {} } as const;
    await outbox.register('trial').enqueue(mail, delivery);
    await expect.poll(() => whats, soon).toEqual(['mail delivered: trial']);
  });

  test('is not promised if Redis rejects it', async () => {
    const { enqueue } = newOutbox({ redis, courier: neverAnswers() });
    await node.configSet('maxmemory', '1');
    try {
      await expect(enqueue()).rejects.toThrow('Redis');
    } finally {
      await node.configSet('maxmemory', '0');
    }
  });
});

describe('a withheld mail', () => {
  // ASVS 6.3.8.
  test('runs the same commands as one that is sent, and is not sent', async () => {
    const { enqueue, accepted, logged } = start();
    await expect.poll(() => logged('mail server is ready'), soon).toHaveLength(1);
    const costs: Record<string, string>[][] = [[], []];
    for (let times = 1; times <= 5; times += 1) {
      for (const withheld of [false, true]) {
        await untilAsleep();
        const { keys, ...commands } = await commandsFor(node, async () => {
          await enqueue({ withheld });
          await untilAsleep();
        });
        costs[Number(withheld)]?.push(commands);
      }
    }
    const [sent, withheld] = costs.map(fewest);
    expect(withheld).toEqual(sent);
    expect(sent).toMatchObject({ eval: 4, hset: 2 });
    expect([server.inbox.length, accepted.length]).toEqual([5, 5]);
  });

  test('does not make an outbox look idle while its attempt takes long', async () => {
    let attempts = 0;
    const courier = scripted(async () => {
      await sleep(1200);
      attempts += 1;
      return { outcome: 'accepted', reply: {} };
    });
    const { enqueue } = start({ courier });
    const costs: Record<string, string>[] = [];
    for (const [at, withheld] of [false, true].entries()) {
      await untilAsleep();
      const { keys, ...commands } = await commandsFor(node, async () => {
        await enqueue({ withheld });
        await expect.poll(() => attempts, soon).toBe(at + 1);
        await untilAsleep();
      });
      costs.push(commands);
    }
    // An idle outbox asks whether there is anything.
    expect(costs.map(({ exists }) => exists)).toEqual([undefined, undefined]);
  });

  test.each([0, 50])(
    'makes the courier prepare, as one that is sent does (delayed by up to %i ms)',
    async (maxDelayMs) => {
      const prepare = vi.fn();
      // Nothing is attempted, so that only the mails that are stored can be the reason.
      const { enqueue } = newOutbox({ redis, courier: { ...neverAnswers(), prepare }, maxDelayMs });
      for (const [at, withheld] of [true, false].entries()) {
        await enqueue({ withheld });
        await expect.poll(() => prepare.mock.calls.length, soon).toBe(at + 1);
      }
    },
  );
});

test.each([0, 50])('a stopped outbox prepares for no mail (delayed by up to %i ms)', async (maxDelayMs) => {
  const prepare = vi.fn();
  const { outbox, enqueue } = start({ courier: { ...neverAnswers(), prepare }, maxDelayMs });
  await outbox.stop();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  await enqueue();
  vi.advanceTimersByTime(maxDelayMs);
  expect(prepare).not.toHaveBeenCalled();
});

test.each([0, 50])('a courier that cannot prepare keeps no mail back (delayed by up to %i ms)', async (maxDelayMs) => {
  const delivered: string[] = [];
  const courier: Courier = {
    ...scripted(async ({ id }) => {
      delivered.push(id);
      return { outcome: 'accepted', reply: {} };
    }),
    prepare: () => {
      throw new Error('no memory for a thread');
    },
  };
  const { enqueue } = start({ courier, maxDelayMs });
  await enqueue();
  await expect.poll(() => delivered.length, soon).toBe(1);
});

/** Waits until no mail is being delivered, and the outbox has checked its queue for the last time. */
async function untilAsleep(): Promise<void> {
  let last = '';
  const isAsleep = async () => {
    const [underWay, stats] = [await node.keys('{outbox}:[ml]*'), await node.info('commandstats')];
    const before = last;
    last = /cmdstat_eval:calls=\d+/.exec(stats)?.[0] ?? '';
    return underWay.length === 0 && last === before;
  };
  await expect.poll(isAsleep, { timeout: 8000, interval: 30 }).toBe(true);
}

/** The lowest count of each command: the outbox checks its queue again when something takes long. */
function fewest(runs: Record<string, string>[]): Record<string, number> {
  const names = new Set(runs.flatMap((run) => Object.keys(run)));
  return Object.fromEntries([...names].map((name) => [name, Math.min(...runs.map((run) => Number(run[name] ?? 0)))]));
}

describe('mail that strangers can cause', () => {
  test('is sent after a random delay, and so is withheld mail (ASVS 6.3.8)', async () => {
    const delays: Record<string, number[]> = { normal: [], withheld: [] };
    let startedAt = 0;
    const recording = scripted(async ({ isWithheld }) => {
      delays[isWithheld ? 'withheld' : 'normal']?.push(performance.now() - startedAt);
      return { outcome: 'accepted', reply: {} };
    });
    const { enqueue } = start({ courier: recording, maxDelayMs: 200, limits: { connections: 50 } });
    startedAt = performance.now();
    for (let count = 1; count <= 20; count += 1) {
      await enqueue({ to: `ann@domain-${count}.example` });
      await enqueue({ to: `eve@domain-${count}.example`, withheld: true });
    }
    await expect.poll(() => [delays.normal?.length, delays.withheld?.length], soon).toEqual([20, 20]);
    for (const kind of ['normal', 'withheld']) {
      const [first = 0, last = 0] = [Math.min(...(delays[kind] ?? [])), Math.max(...(delays[kind] ?? []))];
      expect(last - first, kind).toBeGreaterThan(80);
    }
  });

  test('becomes due in order for each address, because only the newest code is valid', async () => {
    // With two connections, the later of two mails may overtake the other on a busy machine.
    const { enqueue, accepted } = start({ maxDelayMs: 30, limits: { connections: 1 } });
    for (let count = 1; count <= 12; count += 1) await enqueue();
    await expect.poll(() => accepted, soon).toEqual(Array.from({ length: 12 }, (_, index) => `${index + 1}`));
  });

  test('becomes due in that order even if storing the earlier one took longer', async () => {
    const { enqueue } = newOutbox({ redis, courier: neverAnswers(), maxDelayMs: 30 });
    vi.spyOn(Math, 'random').mockReturnValueOnce(0.99).mockReturnValue(0);
    onTestFinished(() => void vi.restoreAllMocks());
    await node.sendCommand(['CLIENT', 'PAUSE', '100', 'WRITE']);
    await enqueue();
    const [earlier] = await node.zRange('{outbox}:waiting', 0, -1);
    await enqueue();
    const [queue = ''] = await node.keys('{outbox}:queue:*');
    expect(await node.zRange(queue, 0, -1)).toEqual([earlier, expect.any(String)]);
  });
});

describe('a mail server', () => {
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

  test('gets no more mails in a minute than SMTP_MAILS_PER_MINUTE', async () => {
    const { enqueue, accepted } = start({ limits: { connections: 1, mailsPerMinute: 1200 } });
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: 11 }, () => enqueue()));
    await expect.poll(() => accepted, soon).toHaveLength(11);
    expect(performance.now() - startedAt).toBeGreaterThan(450);
  });
});

test('a clock of Redis that is set back after a mail does not hold up those that follow', async () => {
  const limits = { connections: 5, ordinaryConnections: 5, connectionsPerDomain: 5, mailsPerMinute: 600 };
  const queue = new Queue(redis, 'this process');
  for (const id of ['a', 'b']) {
    await queue.enqueue({ id, lane: 'normal', domain: id, sealed: 'x', ttlSeconds: 60, delayMs: 0 });
  }
  // What a mail has left that was sent when the clock was an hour ahead.
  await node.set('{outbox}:rate', String(Date.now() + 3_600_000));
  const { jobs, nextMs } = await queue.claim([], limits, []);
  expect(jobs.map(({ id }) => id)).toEqual(['a']);
  expect(nextMs).toBeGreaterThan(0);
  expect(nextMs).toBeLessThanOrEqual(60_000 / limits.mailsPerMinute);
});

test('a mail that was put back after that clock was set back is due at once, and its age is never below zero', async () => {
  const limits = { connections: 5, ordinaryConnections: 5, connectionsPerDomain: 5, mailsPerMinute: 60_000 };
  const queue = new Queue(redis, 'this process');
  await queue.enqueue({ id: 'a', lane: 'normal', domain: 'a', sealed: 'x', ttlSeconds: 60, delayMs: 0 });
  await node.hSet('{outbox}:mail:a', 'asked', String(Date.now() + 3_600_000));
  await node.zAdd('{outbox}:waiting', { value: 'a', score: Date.now() + 3_600_000 });
  const claim = async () => {
    const { jobs, oldestMs } = await queue.claim([], limits, []);
    return [...jobs.map(({ id, ageMs }) => [id, ageMs]), oldestMs];
  };
  expect(await claim()).toEqual([['a', 0], 0]);
  await queue.defer('a', undefined, 'normal');
  expect(await claim()).toEqual([['a', 0], 0]);
});

describe('a recipient', () => {
  test('that SMTP cannot express is refused without asking the server', async () => {
    const { enqueue, failed } = start();
    await enqueue({ to: '"a<b>c"@example.com' });
    await expect.poll(() => failed, soon).toEqual(['1']);
    expect(server.seen.filter((step) => step !== 'greeting')).toEqual([]);
  });

  test('’s domain gets half of the connections at most, and other domains get their turn', async () => {
    const underWay = new Map<string, number>();
    let maxUnderWay = 0;
    const delivered: string[] = [];
    const { outbox, enqueue } = newOutbox({
      redis,
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
    outbox.start();
    await expect.poll(() => delivered, soon).toHaveLength(31);
    expect(maxUnderWay).toBe(2);
    expect(delivered.indexOf('small.example')).toBeLessThan(20);
    await outbox.stop();
  });
});

describe('several processes', () => {
  test('share the work, and send no mail twice', async () => {
    const limits = { connections: 6 };
    const parts = Array.from({ length: 3 }, () => start({ courier: newSmtpClient({ port: server.port }), limits }));
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
    const parts = [newOutbox({ redis, courier: courier() }), newOutbox({ redis, courier: courier() })];
    for (let count = 1; count <= 20; count += 1)
      await parts[count % 2]?.enqueue({ priority: 'high', to: `a@${count}.example` });
    for (const { outbox } of parts) outbox.start();
    await expect.poll(() => node.keys('{outbox}:mail:*'), soon).toEqual([]);
    expect(max).toBe(2);
    for (const { outbox } of parts) await outbox.stop();
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

  test('forget mail that expired while none of them was there', async () => {
    const limits = { connections: 5, ordinaryConnections: 5, connectionsPerDomain: 5, mailsPerMinute: 60_000 };
    const queue = new Queue(redis, 'this process');
    const mails = { sealed: 'x', ttlSeconds: 60, delayMs: 0 };
    await queue.enqueue({ ...mails, id: 'code', lane: 'normal', domain: 'a' });
    await queue.enqueue({ ...mails, id: 'decoy', lane: 'withheld', domain: 'a' });
    await queue.enqueue({ ...mails, id: 'notice', lane: 'high', domain: 'b', ttlSeconds: 86_400 });
    // These expire together; the sets that count them live on, for the notice and for the next decoy.
    const keys = ['mail:code', 'queue:normal:a', 'mail:decoy', 'queue:withheld:a'];
    await node.del(keys.map((key) => `{outbox}:${key}`));
    expect(await queue.claim([], limits, [])).toMatchObject({ jobs: [{ id: 'notice' }], queued: 1 });
    await queue.finish('notice');
    expect(await queue.isEmpty()).toBe(true);
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

  test('keep their leases while they deliver, even if Redis becomes full', async () => {
    const slow = start({ courier: neverAnswers() });
    await slow.enqueue();
    await expect.poll(() => node.zCard('{outbox}:leases'), soon).toBe(1);
    const leasedUntil = async () => (await node.zRangeWithScores('{outbox}:leases', 0, -1))[0]?.score ?? 0;
    for (const maxmemory of ['0', '1']) {
      await node.configSet('maxmemory', maxmemory);
      try {
        const first = await leasedUntil();
        await expect.poll(leasedUntil, soon).toBeGreaterThan(first);
      } finally {
        await node.configSet('maxmemory', '0');
      }
    }
  });
});

describe('the metrics', () => {
  test('exist from the start, and follow the outcomes', async () => {
    const seen: Record<string, number> = {};
    const note = (figure: Figure) => {
      const name = [figure.name.replace('latchkey_', ''), ...Object.values(figure.labels ?? {})].join(' ');
      if ('add' in figure) seen[name] = (seen[name] ?? 0) + figure.add;
      else if ('set' in figure) seen[name] = figure.set;
      else seen[name] = (seen[name] ?? 0) + (figure.observe === undefined ? 0 : 1);
    };
    figures.subscribe(note);
    const { enqueue } = start();
    const none = {
      'mails_sent_total code': 0,
      'mails_deferred_total code': 0,
      'mails_failed_total code refused': 0,
      'mails_failed_total code lapsed': 0,
      'mail_seconds code': 0,
      mails_queued: 0,
      mail_oldest_seconds: 0,
      mail_server_available: 1,
    };
    expect(seen).toEqual(none);
    server.failure = { at: 'recipient', answer: 450 };
    await enqueue();
    await expect.poll(() => seen['mails_deferred_total code'], soon).toBeGreaterThan(0);
    expect(seen.mails_queued).toBe(1);
    // The first look at the queue may come within the millisecond of its first mail.
    await expect.poll(() => seen.mail_oldest_seconds, soon).toBeGreaterThan(0);
    server.failure = { at: 'recipient', answer: 550 };
    await expect.poll(() => seen['mails_failed_total code refused'], soon).toBe(1);
    server.failure = undefined;
    await enqueue();
    await expect.poll(() => seen['mails_sent_total code'], soon).toBe(1);
    await expect.poll(() => seen.mails_queued, soon).toBe(0);
    expect(seen['mail_seconds code']).toBe(1);
  });

  test('say within half a minute that the mail server is back, unless mail waits that will tell', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const set: Record<string, number> = {};
    figures.subscribe((figure) => {
      if ('set' in figure) set[figure.name.replace('latchkey_', '')] = figure.set;
    });
    const rejects = scripted(async () => ({ outcome: 'unavailable', problem: 'rejects the sender', reply: {} }));
    const check = vi.fn<Courier['check']>(async () => 'nothing listens');
    const { enqueue, logged } = start({ courier: { ...rejects, check } });
    await expect.poll(() => set.mail_server_available, soon).toBe(0);
    await enqueue();
    await expect.poll(() => set.mails_queued, soon).toBe(1);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([check.mock.calls.length, set.mail_server_available]).toEqual([1, 0]);
    // As if another process had delivered it.
    await node.flushAll();
    await expect.poll(() => set.mails_queued, soon).toBe(0);
    await vi.advanceTimersByTimeAsync(30_000);
    expect([check.mock.calls.length, set.mail_server_available]).toEqual([2, 0]);
    check.mockResolvedValue(undefined);
    await vi.advanceTimersByTimeAsync(30_000);
    await expect.poll(() => set.mail_server_available, soon).toBe(1);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(check).toHaveBeenCalledTimes(3);
    expect([logged('mail cannot be sent').length, logged('mail server is ready').length]).toEqual([1, 1]);
  });

  test('say that the mail server is back once it objects to a recipient alone', async () => {
    let isAvailable: number | undefined;
    figures.subscribe((figure) => {
      if (figure.name === 'latchkey_mail_server_available' && 'set' in figure) isAvailable = figure.set;
    });
    const answers: Delivered[] = [
      { outcome: 'unavailable', problem: 'nothing listens', reply: {} },
      { outcome: 'deferred', reply: { code: 'ECONNECTION', command: 'CONN' } },
      { outcome: 'deferred', reply: { reply: 452, command: 'RCPT TO' } },
      { outcome: 'deferred', reply: { reply: 450, command: 'RCPT TO' } },
    ];
    const atAttempt: unknown[] = [];
    const courier = scripted(async () => {
      atAttempt.push(isAvailable);
      return answers.shift() ?? { outcome: 'refused', reply: { reply: 550, command: 'RCPT TO' } };
    });
    const { enqueue, logged } = start({ courier });
    await enqueue();
    await expect.poll(() => logged('mail not sent'), soon).toHaveLength(1);
    expect(atAttempt).toEqual([1, 0, 0, 0, 1]);
    answers.push({ outcome: 'unavailable', problem: 'nothing listens', reply: {} });
    await enqueue();
    await expect.poll(() => logged('mail not sent'), soon).toHaveLength(2);
    expect([atAttempt.slice(5), isAvailable]).toEqual([[1, 0], 1]);
  });

  test('follow a queue that empties while the mail server is away', async () => {
    const queued: number[] = [];
    figures.subscribe((figure) => {
      if (figure.name === 'latchkey_mails_queued' && 'set' in figure) queued.push(figure.set);
    });
    let attempts = 0;
    const courier = scripted(async () => {
      attempts += 1;
      return { outcome: 'unavailable', problem: 'nothing listens', reply: {} };
    });
    const { enqueue } = start({ courier, policy: { ...quickPolicy, minPauseMs: 200, maxPauseMs: 400 } });
    await enqueue();
    await expect.poll(() => attempts, soon).toBeGreaterThan(1);
    const checks = queued.length;
    await expect.poll(() => queued.slice(checks), soon).toContain(1);
    // As if another process had delivered it.
    await node.flushAll();
    await expect.poll(() => queued.at(-1), soon).toBe(0);
  });
});
