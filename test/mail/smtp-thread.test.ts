import { Worker } from 'node:worker_threads';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { seal } from '../../src/features/mail/seal.ts';
import type { SmtpOptions } from '../../src/features/mail/smtp-client.ts';
import { SmtpThread } from '../../src/features/mail/smtp-thread.ts';
import { afterwards } from '../support/afterwards.ts';
import { sealed, smtpOptions, testKeys } from './courier.ts';
import { startMailServer } from './mail-server.ts';
import { newLog } from './outbox-rig.ts';

function newThread(options: SmtpOptions, idleMs?: number) {
  const { log, logged } = newLog();
  const thread = new SmtpThread(options, log, idleMs);
  afterwards(() => thread.close());
  return { thread, logged };
}

/** The threads that this process starts from now on. */
function watchThreads(): Worker[] {
  const threads: Worker[] = [];
  const watch = (thread: Worker) => void threads.push(thread);
  process.on('worker', watch);
  afterwards(() => process.off('worker', watch));
  return threads;
}

describe('the mail thread', () => {
  test('survives a mail that cannot be processed, and so do the mails that it is delivering', async () => {
    const server = await startMailServer();
    server.failure = { at: 'recipient', answer: 'late' };
    const { thread, logged } = newThread(smtpOptions({ port: server.port }));
    const inProgress = thread.deliver(sealed());
    await expect.poll(() => server.seen, { timeout: 8000, interval: 5 }).toContain('recipient');
    const poison = { ...sealed(), id: 'poison', sealed: seal(testKeys, 'poison', '{"mail":{"to":5}}') };
    await expect(thread.deliver(poison)).rejects.toMatchObject({ code: 'ETHREAD', name: 'TypeError' });
    expect(await inProgress).toMatchObject({ outcome: 'accepted' });
    expect(await thread.deliver(sealed())).toMatchObject({ outcome: 'accepted' });
    expect(logged('mail thread failed; the next mail starts another')).toEqual([]);
  });

  test('is logged when it fails, and leaves no call without an answer', async () => {
    const { thread, logged } = newThread({} as SmtpOptions);
    await expect(thread.check()).rejects.toMatchObject({ code: 'ETHREAD' });
    await expect(thread.deliver(sealed())).rejects.toMatchObject({ code: 'ETHREAD' });
    const line = { level: 50, error: { type: 'TypeError', stack: expect.stringContaining('smtp-worker') } };
    expect(logged('mail thread failed; the next mail starts another')).toMatchObject([line, line]);
  });
});

describe('the mail thread, when it has nothing to do', () => {
  const ended = -1;

  // The first thread of a process also starts one of esbuild, which bundles it.
  beforeAll(async () => {
    const server = await startMailServer();
    await newThread(smtpOptions({ port: server.port })).thread.check();
  });

  test('ends, and the next mail starts another', async () => {
    const server = await startMailServer();
    const threads = watchThreads();
    const { thread } = newThread(smtpOptions({ port: server.port }), 20);
    for (const count of [1, 2]) {
      expect(await thread.deliver(sealed())).toMatchObject({ outcome: 'accepted' });
      await expect
        .poll(() => threads.map(({ threadId }) => threadId), { timeout: 8000, interval: 5 })
        .toEqual(Array(count).fill(ended));
    }
  });

  test('leaves a mail that comes while it ends to the next thread', async () => {
    const server = await startMailServer();
    const { thread } = newThread(smtpOptions({ port: server.port }), 20);
    const terminate = vi.spyOn(Worker.prototype, 'terminate');
    onTestFinished(() => terminate.mockRestore());
    const delivered = new Promise((resolve) => {
      terminate.mockImplementationOnce(function (this: Worker) {
        resolve(thread.deliver(sealed()));
        return this.terminate();
      });
    });
    await thread.check();
    expect(await delivered).toMatchObject({ outcome: 'accepted' });
  });

  test('does not end while it delivers a mail', async () => {
    const server = await startMailServer();
    server.failure = { at: 'recipient', answer: 'late' };
    const { thread } = newThread(smtpOptions({ port: server.port }), 1);
    expect(await thread.deliver(sealed())).toMatchObject({ outcome: 'accepted' });
  });

  test('tells the next thread how long a withheld mail must take (ASVS 6.3.8)', async () => {
    const slowMs = 700;
    const server = await startMailServer({ onRcptTo: (_address, _session, done) => setTimeout(done, slowMs) });
    const threads = watchThreads();
    const { thread } = newThread(smtpOptions({ port: server.port }), 20);
    await thread.deliver(sealed());
    await expect.poll(() => threads[0]?.threadId, { timeout: 8000, interval: 5 }).toBe(ended);
    const startedAt = performance.now();
    expect(await thread.deliver({ ...sealed(), isWithheld: true })).toMatchObject({ outcome: 'accepted' });
    expect(performance.now() - startedAt).toBeGreaterThan(slowMs - 10);
  });

  test('starts when a mail is announced, which it then delivers', async () => {
    const server = await startMailServer();
    const threads = watchThreads();
    const { thread } = newThread(smtpOptions({ port: server.port }));
    thread.prepare();
    await expect.poll(() => threads.length).toBe(1);
    expect(await thread.deliver(sealed())).toMatchObject({ outcome: 'accepted' });
    expect(threads).toHaveLength(1);
  });
});
