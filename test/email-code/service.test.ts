import { expect, test, vi } from 'vitest';
import { Challenges } from '../../src/features/email-code/challenges.ts';
import { codeMails } from '../../src/features/email-code/code-mails.ts';
import { KnownBrowsers } from '../../src/features/email-code/known-browsers.ts';
import { MailTemplates } from '../../src/features/email-code/mail-templates.ts';
import { RateLimits } from '../../src/features/email-code/rate-limits.ts';
import { RevocationLinks } from '../../src/features/email-code/revocation-links.ts';
import { EmailCodeService } from '../../src/features/email-code/service.ts';
import type { Outbox } from '../../src/features/mail/outbox.ts';
import { createLogger } from '../../src/log.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import { RedisUnavailable } from '../../src/redis/deadline.ts';
import { address } from '../support/address.ts';
import { startApp, testSecret } from '../support/app.ts';
import { newAddress, newIp } from './code-login.ts';

const { redis } = await startApp();
const log = createLogger('silent');
const day = 86_400;
const limits = { idleSeconds: day, absoluteSeconds: day, rememberIdleSeconds: day, rememberAbsoluteSeconds: day };

type Enqueue = ReturnType<Outbox['register']>['enqueue'];

/** The service, on this client, with an outbox that does what it is told. */
function serviceOn(client: RedisClient, enqueue: Enqueue) {
  const knownBrowsers = new KnownBrowsers(client, [testSecret]);
  const links = new RevocationLinks(client);
  const templates = new MailTemplates('Latchkey');
  const challenges = new Challenges(client, [testSecret]);
  const rateLimits = new RateLimits(client, 1000);
  const outbox = { register: () => ({ enqueue }) };
  const mails = codeMails({ outbox, templates, links, knownBrowsers, rateLimits, limits, log });
  return new EmailCodeService({ challenges, rateLimits, knownBrowsers, mails, isAllowed: () => true, log });
}

function newClient(deviceCookie?: string) {
  return { requestId: 'a', ip: newIp(), deviceCookie, device: 'Firefox on Linux', origin: 'https://login.example.com' };
}

test('a form whose mail could not be stored is no repeat when it is sent again', async () => {
  const enqueue = vi.fn<Enqueue>().mockRejectedValueOnce(new RedisUnavailable('full')).mockResolvedValue(undefined);
  const service = serviceOn(redis, enqueue);
  const [wish, visitor] = [
    { email: address(newAddress()), remember: false, previousId: undefined, seed: 'form' },
    newClient(),
  ];
  await expect(service.ask(wish, visitor)).rejects.toThrow(RedisUnavailable);
  expect((await service.ask(wish, visitor)).outcome).toBe('asked');
  expect(enqueue.mock.lastCall?.[1].withheld).toBe(false);
});
