import type { Bench } from '../bench.ts';
import type { Form } from '../load.ts';
import { comparePaths, type Path } from '../paths.ts';
import { startModule } from '../servers.ts';
import { startRelay } from './relay.ts';
import { Browser, newAddresses, newIp, until } from './visitors.ts';

/** So many that V8 has compiled their code after the rounds that warm up, as it has that of the page. */
const signInsPerRound = 2000;
const deliveredWithinMs = 60_000;

/** What asking for a code and entering it cost, in signed-in pages, without the delivery of the mail. */
export async function codePaths(bench: Bench): Promise<void> {
  let release = () => {};
  let isOpen: Promise<void> | undefined;
  const relay = await startRelay({ sender: () => isOpen });
  const hold = () => {
    isOpen = new Promise((done) => {
      release = done;
    });
  };
  const server = await startModule('latchkey', new URL('../../dist/server.js', import.meta.url), {
    node: bench.node.path,
    redisUrl: bench.redis.url,
    env: {
      ...{ SIGN_IN: 'code', SMTP_URL: relay.url(), MAIL_FROM: 'login@example.com', MAILS_PER_HOUR: '999999' },
      ...{ SMTP_CONNECTIONS: '1', SMTP_MAILS_PER_MINUTE: '600000', TRUST_PROXY: 'loopback' },
    },
  });
  const { connections, seconds } = bench;
  let waiting: { email: string; ip: string; cookie: string }[] = [];
  let mails = 0;
  const delivered = () => relay.accepted.length >= mails;

  async function signIn(email: string): Promise<string> {
    const browser = new Browser(server.url);
    await browser.askForCode(email);
    mails += 2;
    await until(() => codeFor(email) !== undefined, deliveredWithinMs);
    await browser.enterCode(codeFor(email) ?? '');
    await until(delivered, deliveredWithinMs);
    return browser.cookie;
  }

  const codes = new Map<string, string>();
  let read = 0;
  function codeFor(email: string): string | undefined {
    for (const { to, code } of relay.accepted.slice(read)) if (code !== undefined) codes.set(to, code);
    read = relay.accepted.length;
    return codes.get(email);
  }
  /** Each from a client of its own. @returns the cookie that each was answered with */
  async function sendAll(path: string, next: string, forms: Required<Form>[]): Promise<string[]> {
    mails += forms.length;
    const url = server.url + path;
    return (await bench.loader.run({ url, cookie: '', expect: next, connections, forms })).cookies;
  }
  /** Delivery would cost CPU time, too: the relay waits until the work is measured. */
  const ask: Path = {
    name: 'ask for a code',
    atMost: 3,
    async run() {
      const visitors = newAddresses(signInsPerRound).map((email) => ({ email, ip: newIp() }));
      const forms = visitors.map(({ email, ip }) => ({ fields: { email }, headers: { 'X-Forwarded-For': ip } }));
      const cookies = await sendAll('/login', '/login/code', forms);
      waiting = visitors.map((visitor, position) => ({ ...visitor, cookie: cookies[position] ?? '' }));
      return waiting.length;
    },
  };
  const enter: Path = {
    name: 'enter a code',
    atMost: 6,
    async run() {
      const forms = waiting.map(({ email, ip, cookie }) => ({
        fields: { code: codeFor(email) ?? '' },
        headers: { 'X-Forwarded-For': ip, cookie },
      }));
      await sendAll('/login/code', '/admin', forms);
      return forms.length;
    },
  };
  const page = 'signed-in@example.com';
  try {
    const cookie = await signIn(page);
    const load = { url: server.url, cookie, expect: page, connections, seconds };
    const others = [ask, enter].map((path) => ({
      ...path,
      async before() {
        await until(delivered, deliveredWithinMs);
        hold();
      },
      after: () => release(),
    }));
    await comparePaths(bench, {
      subject: {
        server,
        page: {
          name: 'signed-in page',
          before: () => until(delivered, deliveredWithinMs),
          run: async () => (await bench.loader.run(load)).requests,
        },
        others,
      },
      file: `paths-code-node${bench.node.major}.md`,
      title: 'Sign-in by code, in signed-in pages,',
      notes: `Each of ${signInsPerRound} new browsers asks for a code and enters it, over ${bench.connections} connections. The mails are stored, and sent only once the time is taken.`,
    });
  } finally {
    release();
    await server.stop();
    await relay.stop();
  }
}
