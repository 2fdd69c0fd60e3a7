import { beforeAll, expect, test } from 'vitest';
import { type MailServer, startMailServer } from '../mail/mail-server.ts';
import { type RunningServer, startServer, startServerAhead } from '../support/process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { askForCode, enterCode, newAddress, newBrowser } from './code-login.ts';

const servers: Record<string, RunningServer> = {};
let mails: MailServer;

// A code is good for ten minutes.
beforeAll(async () => {
  mails = await startMailServer();
  const redis = await startRedisServer('of-the-operator');
  const env = {
    ...{ REDIS_URL: redis.url, SMTP_URL: mails.url, SIGN_IN: 'code', TRUST_PROXY: '1' },
    SESSION_SECRET: 'a secret of the operator of 32 characters and more',
  };
  servers.right = await startServer({ env });
  servers.ahead = await startServerAhead(11, { env });
});

test.each([
  ['right', 'ahead'],
  ['ahead', 'right'],
])(
  'a code from the process that is %s is right at the one that is %s, where a wrong one is wrong',
  async (first, second) => {
    const email = newAddress();
    const browser = newBrowser(servers[first]?.url() ?? '');
    await askForCode(browser, email);
    const code = await mails.codeFor(email);
    const elsewhere = browser.copy(servers[second]?.url());
    expect((await enterCode(elsewhere, code === '00000000' ? '11111111' : '00000000')).status).toBe(422);
    expect((await enterCode(elsewhere, code)).status).toBe(303);
    for (const name of [second, first]) {
      expect((await elsewhere.copy(servers[name]?.url()).get('/admin')).text).toContain(`Hello ${email}`);
    }
  },
);
