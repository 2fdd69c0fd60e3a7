import { describe, expect, test } from 'vitest';
import { seal } from '../../src/features/mail/seal.ts';
import type { SmtpOptions } from '../../src/features/mail/smtp-client.ts';
import { SmtpThread } from '../../src/features/mail/smtp-thread.ts';
import { afterwards } from '../support/afterwards.ts';
import { sealed, smtpOptions, testKeys } from './courier.ts';
import { startMailServer } from './mail-server.ts';
import { newLog } from './outbox-rig.ts';

function newThread(options: SmtpOptions) {
  const { log, logged } = newLog();
  const thread = new SmtpThread(options, log);
  afterwards(() => thread.close());
  return { thread, logged };
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
