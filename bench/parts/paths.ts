import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Closers, withCleanup } from '../../scripts/cleanup.ts';
import { buildPreviousRelease } from '../../scripts/previous-release.ts';
import type { Bench } from '../bench.ts';
import { comparePaths, type Subject } from '../paths.ts';
import { email, startModule } from '../servers.ts';

const manySessions = 50;
const signInsPerRound = 3000;

/** What `/admin` and a sign-in in trust mode cost, in signed-in pages, and beside the previous release. */
export async function paths(bench: Bench): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'latchkey-bench-'));
  const closers: Closers = [() => rmSync(directory, { recursive: true, force: true })];
  await withCleanup(closers, async () => {
    buildPreviousRelease(directory);
    const previous = new URL('dist/server.js', `${pathToFileURL(directory)}/`);
    await comparePaths(bench, {
      subject: await startSubject(bench, closers, {
        name: 'latchkey',
        module: new URL('../../dist/server.js', import.meta.url),
      }),
      previous: await startSubject(bench, closers, { name: '0.1', module: previous, database: 1 }),
      file: `paths-node${bench.node.major}.md`,
      title: 'Other paths, in signed-in pages,',
      notes: `${bench.connections} connections.`,
    });
  });
}

type Version = { name: string; module: URL; database?: number };

async function startSubject(bench: Bench, closers: Closers, { name, module, database = 0 }: Version): Promise<Subject> {
  const redisUrl = `${bench.redis.url}/${database}`;
  const server = await startModule(name, module, { node: bench.node.path, redisUrl, env: { SIGN_IN: 'trust' } });
  closers.push(server.stop);
  const { connections, seconds } = bench;
  const [one, many] = ['one@example.com', 'many@example.com'];
  const cookies = { page: await server.signIn(), one: await server.signIn(one), many: await server.signIn(many) };
  for (let count = 1; count < manySessions; count += 1) await server.signIn(many);
  const visits = (path: string, cookie: string, expect: string) => async () =>
    (await bench.loader.run({ url: server.url + path, cookie, expect, connections, seconds })).requests;
  async function signInAll(): Promise<number> {
    const forms = Array.from({ length: signInsPerRound }, () => ({
      fields: { email: `visitor-${visitors++}@example.com` },
    }));
    return (await bench.loader.run({ url: `${server.url}/login`, cookie: '', expect: '/admin', connections, forms }))
      .requests;
  }
  return {
    server,
    page: { name: 'signed-in page', run: visits('/', cookies.page, email) },
    others: [
      { name: '/admin, one session', run: visits('/admin', cookies.one, one), atMost: 1.1 },
      { name: `/admin, ${manySessions} sessions`, run: visits('/admin', cookies.many, many), atMost: 1.6 },
      { name: 'sign-in, trusted', run: signInAll },
    ],
  };
}

let visitors = 0;
