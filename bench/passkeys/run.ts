// npm run bench:passkeys -- [--rounds 5]
// The way from an open login page to /admin, by code and by passkey: key presses and clicks, and the time that pages, mail
// and Redis take. Typing and reading come on top. Then what passkeys add to the login page.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { BrowserContext, Page } from 'playwright-core';
import { launchChromium } from '../../test/support/browser.ts';
import { publish, samples } from '../bench.ts';
import { freePort } from '../redis.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
const project = fileURLToPath(new URL('../..', import.meta.url));
const email = 'somebody@example.com';
const port = await freePort();
const origin = `http://localhost:${port}`;
const server = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), join(project, 'src/server.ts')], {
  cwd: mkdtempSync(join(tmpdir(), 'latchkey-bench-')),
  env: { ...process.env, NODE_ENV: 'development', PORT: String(port), SIGN_IN: 'code', LOG_LEVEL: 'silent' },
  stdio: 'ignore',
});
const browser = await launchChromium();
let seen = '';

try {
  await untilReady();
  const context = await browser.newContext();
  const rounds: { code: number; passkey: number }[] = [];
  await byCode(context);
  for (let round = 0; round < Number(values.rounds); round += 1) {
    rounds.push({ code: await byCode(context), passkey: await byPasskey(context) });
  }
  const seconds = (way: 'code' | 'passkey') => samples(rounds.map((round) => round[way] / 1000));
  const [without, with_] = await Promise.all([pageBytes(`http://127.0.0.1:${port}`), pageBytes(origin)]);
  const script = statSync(join(project, 'public/passkeys/passkeys.js')).size;
  publish('passkeys.md', [
    `# From an open login page to /admin, on Node ${process.versions.node}`,
    `Medians of ${rounds.length} rounds (least–most), with Chromium, a virtual authenticator and mail that arrives at once.`,
    {
      head: ['way', 'keys and clicks', 'seconds of waiting'],
      rows: [
        ['by code', `${email.length} and Enter, the mail, 8`, seconds('code')],
        ['by passkey', '1 click, a finger', seconds('passkey')],
      ],
    },
    {
      head: ['what a browser loads', 'bytes'],
      rows: [
        ['login page without passkeys', String(without)],
        ['login page with passkeys', String(with_)],
        ['script, kept for a year', String(script)],
      ],
    },
  ]);
} finally {
  await browser.close();
  server.kill();
  await once(server, 'exit');
}

async function untilReady(): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    if (
      await fetch(`${origin}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return;
    await sleep(100);
  }
  throw new Error('the server does not start');
}

/** A page that is ready to log in. The mail is read as it arrives. */
async function openLogin(context: BrowserContext): Promise<Page> {
  await context.clearCookies({ name: 'session' });
  const page = await context.newPage();
  await page.goto(`${origin}/login`);
  await page.getByRole('button', { name: 'Log in with a passkey' }).waitFor();
  return page;
}

async function byCode(context: BrowserContext): Promise<number> {
  const page = await openLogin(context);
  const startedAt = performance.now();
  await page.keyboard.insertText(email);
  await page.keyboard.press('Enter');
  await page.waitForURL(`${origin}/login/code`);
  await page.keyboard.type(await newestCode());
  await page.waitForURL(({ pathname }) => pathname === '/admin' || pathname === '/passkeys/add');
  const ms = performance.now() - startedAt;
  await page.close();
  return ms;
}

async function newestCode(): Promise<string> {
  for (;;) {
    const mails = await (await fetch(`${origin}/dev/mails`)).text();
    const [, first = '', second = ''] = /(\d{4}) (\d{4}) is your code/.exec(mails) ?? [];
    if (first !== '' && first + second !== seen) {
      seen = first + second;
      return seen;
    }
    await sleep(20);
  }
}

async function byPasskey(context: BrowserContext): Promise<number> {
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send('WebAuthn.enable', { enableUI: false });
  const options = { protocol: 'ctap2', ctap2Version: 'ctap2_1', transport: 'internal' } as const;
  const user = { hasResidentKey: true, hasUserVerification: true, isUserVerified: true };
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', { options: { ...options, ...user } });
  const setPresent = (enabled: boolean) =>
    cdp.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled });
  await setPresent(true);
  await page.goto(`${origin}/passkeys/add`);
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.waitForURL(`${origin}/passkeys`);
  // Or it would answer before anybody presses a key.
  await setPresent(false);
  await context.clearCookies({ name: 'session' });
  await page.goto(`${origin}/login`);
  const button = page.getByRole('button', { name: 'Log in with a passkey' });
  await button.waitFor();
  await setPresent(true);
  const startedAt = performance.now();
  await button.click();
  await page.waitForURL(`${origin}/admin`);
  const ms = performance.now() - startedAt;
  await page.close();
  return ms;
}

async function pageBytes(url: string): Promise<number> {
  // With a cookie, the page only links to its style sheet.
  const headers = { Cookie: 'seen=before' };
  return Buffer.byteLength(await (await fetch(`${url}/login`, { headers })).text());
}
