import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { startApp } from './support/app.ts';
import { builtFile, freePort, newDirectory, startProcess, startServer } from './support/process.ts';
import { production } from './support/settings.ts';
import { testRedis } from './support/test-redis.ts';
import { Visitor } from './support/visitor.ts';

const server = builtFile('server.js');
const bundles = join(dirname(server), 'bundle');
/** What each file of compiled code begins with. */
const stampBytes = 256;

/** A copy of the build, to change. */
function copyBuild(): string {
  const copy = newDirectory('build-');
  cpSync(dirname(server), join(copy, 'dist'), { recursive: true });
  symlinkSync(fileURLToPath(new URL('../package.json', import.meta.url)), join(copy, 'package.json'));
  return join(copy, 'dist');
}

/** What a server without settings prints. */
function printedBy(dist: string, preload = ''): string {
  const args = ['--import', `data:text/javascript,${encodeURIComponent(preload)}`, join(dist, 'server.js')];
  return spawnSync(process.execPath, args, { encoding: 'utf8', env: { NODE_ENV: 'production' } }).stderr;
}

test('the build starts no server, although .env has all settings', async () => {
  let connections = 0;
  const redis = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  const redisPort = await freePort();
  await new Promise<void>((done) => redis.listen(redisPort, '127.0.0.1', done));
  const dist = copyBuild();
  const env = { ...production, PORT: String(await freePort()), REDIS_URL: `redis://127.0.0.1:${redisPort}` };
  const lines = Object.entries(env).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(join(dist, '../.env'), lines.join(''));
  const script = fileURLToPath(new URL('../scripts/bundle.mjs', import.meta.url));
  const build = startProcess({ cwd: dirname(dist), command: [process.execPath, script] });
  expect(await build.ended, build.printed()).toEqual({ code: 0, signal: null });
  redis.close();
  expect(connections).toBe(0);
  expect(readdirSync(join(dist, 'bundle'))).toContain('server.cjs.compiled');
});

test('regular expressions with Unicode properties stay literals', () => {
  const programs = readdirSync(bundles).filter((name) => name.endsWith('.cjs'));
  const source = programs.map((name) => readFileSync(join(bundles, name), 'utf8')).join('');
  expect(source).toContain('\\p{Cc}');
  const constructed = source.matchAll(/new RegExp\(\s*(["'])(?:(?!\1).)*\\[pP]\{/g);
  expect([...constructed].map(([call]) => call)).toEqual([]);
});

describe('compiled code', () => {
  test('comes with what a production start loads, and is accepted by this Node', () => {
    const compiled = readdirSync(bundles).filter((name) => name.endsWith('.compiled'));
    expect(compiled).toContain('server.cjs.compiled');
    for (const name of compiled) {
      const source = readFileSync(join(bundles, name.replace('.compiled', '')), 'latin1');
      const cachedData = readFileSync(join(bundles, name)).subarray(stampBytes);
      const { cachedDataRejected } = new Script(source, { cachedData });
      expect({ name, cachedDataRejected }).toEqual({ name, cachedDataRejected: false });
    }
  });

  test('is used with its exact stamp, and never with another', () => {
    const dist = copyBuild();
    const bundle = join(dist, 'bundle/server.cjs');
    const { length } = readFileSync(bundle);
    const compiled = readFileSync(`${bundle}.compiled`);
    const stamp = compiled.toString('latin1', 0, stampBytes);
    // V8 accepts it for any source of this length.
    const stale = new Script('(function(){console.error("stale")})'.padEnd(length), { filename: 'bundle/server.cjs' });
    const printedWith = (stamp: string) => {
      writeFileSync(`${bundle}.compiled`, Buffer.concat([Buffer.from(stamp, 'latin1'), stale.createCachedData()]));
      return printedBy(dist);
    };
    expect(printedWith(stamp)).toBe('stale\n');
    const [version, arch, platform, tag, hash] = stamp.trim().split(' ');
    for (const part of [version, arch, platform, tag, hash]) {
      const last = part?.at(-1) === '1' ? '2' : '1';
      const other = stamp.replace(`${part}`, `${part?.slice(0, -1)}${last}`);
      expect(other).not.toBe(stamp);
      expect(printedWith(other)).toContain("Latchkey can't start: \n");
    }
    expect(printedWith('')).toContain("Latchkey can't start: \n");
  });

  test('is not used for a source that was changed', () => {
    const dist = copyBuild();
    // The bundler breaks long lines even within a string. V8 itself would notice another length.
    const phrase = new RegExp([..."Latchkey can't start: "].join('(?:\\\\\n)?'), 'g');
    for (const name of readdirSync(bundles).filter((name) => name.endsWith('.cjs'))) {
      const source = readFileSync(join(bundles, name), 'latin1');
      writeFileSync(
        join(dist, 'bundle', name),
        source.replaceAll(phrase, (found) => found.replace('s', 'S')),
        'latin1',
      );
    }
    expect(printedBy(dist)).toMatch(/^Latchkey can't Start: \n/);
  });
});

describe('a stack trace', () => {
  test('names the source file and line', () => {
    const stderr = printedBy(dirname(server), 'process.exit = () => console.error(new Error("here").stack)');
    const [, file = '', line] = /at start \((.*\/src\/server\.ts):(\d+):\d+\)/.exec(stderr) ?? [];
    expect(file, stderr).not.toBe('');
    const source = readFileSync(fileURLToPath(new URL('../src/server.ts', import.meta.url)), 'utf8');
    expect(source.split('\n')[Number(line) - 1]).toContain('process.exit(1)');
  });

  test('begins as Node begins it, with the code of its own errors', () => {
    const throwOne = 'process.exit = () => { try { Buffer.alloc("") } catch (error) { console.error(error.stack) } }';
    expect(printedBy(dirname(server), throwOne)).toMatch(/^TypeError \[ERR_INVALID_ARG_TYPE\]: The "size" argument/m);
  });

  test('names the bundle where a source map cannot be understood', () => {
    const dist = copyBuild();
    const map = join(dist, 'bundle/server.cjs.map');
    const { sources, ...rest } = JSON.parse(readFileSync(map, 'utf8'));
    writeFileSync(map, JSON.stringify({ ...rest, sources: sources.map(() => 'https://example.com/server.ts') }));
    const stderr = printedBy(dist, 'process.exit = () => console.error(new Error("here").stack)');
    expect(stderr).toMatch(/^Error: here\n {4}at .*\n(.*\n)* {4}at start \(bundle\/server\.cjs:\d+:\d+\)$/m);
  });

  test('of an uncaught error comes with a short excerpt of the bundle', () => {
    const stderr = printedBy(dirname(server), 'delete globalThis.Set');
    expect(stderr).toMatch(/^ReferenceError: Set is not defined$/m);
    expect(Math.max(...stderr.split('\n').map(({ length }) => length))).toBeLessThan(1000);
  });
});

test('the bundle answers as the source does', async () => {
  const redisAddress = await testRedis();
  const env = { SIGN_IN: 'trust' };
  const [bundle, source] = await Promise.all([startServer({ env }), startApp({ redisAddress, env })]);
  const requests: ((visitor: Visitor) => ReturnType<Visitor['get']>)[] = [
    (visitor) => visitor.get('/login'),
    (visitor) => visitor.get('/style.css'),
    (visitor) => visitor.get('/favicon.svg'),
    (visitor) => visitor.get('/no-such-page'),
    (visitor) => visitor.get('/no-such-page', { headers: { accept: 'text/plain' } }),
    (visitor) => visitor.get('/no-such-page', { headers: { accept: 'application/json' } }),
    ...['gbk', 'utf-8', 'unknown'].map((charset) => (visitor: Visitor) => {
      const headers = { 'content-type': `application/x-www-form-urlencoded; charset=${charset}` };
      return visitor.post('/login', { headers, body: 'email=ann%40example.com' });
    }),
  ];
  const answersOf = async (url: string) => {
    const answers: unknown[] = [];
    for (const request of requests) {
      const { status, headers, text } = await request(new Visitor(url));
      // A form may have a random id.
      answers.push({ status, type: headers.get('content-type'), text: text.replace(/ value="[\w-]{16}"/g, '') });
    }
    return answers;
  };
  const answers = await answersOf(bundle.url());
  expect(answers).toEqual(await answersOf(source.url));
  expect(answers).toMatchObject([
    { status: 200, type: 'text/html; charset=utf-8' },
    { status: 200, type: 'text/css; charset=utf-8' },
    { status: 200, type: 'image/svg+xml' },
    ...Array(3).fill({ status: 404 }),
    ...[415, 303, 415].map((status) => ({ status })),
  ]);
});
