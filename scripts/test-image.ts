// npm run test:image builds the image by the Dockerfile, without a daemon, and starts what is in it: as its user, with a
// Redis of this machine. It needs root, since it mounts what is in the image.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { baseImage, provideBaseImage } from './base-image.ts';

const image = 'localhost/latchkey';
const readyWithinMs = 30_000;
const directory = mkdtempSync(join(tmpdir(), 'latchkey-image-'));
const running: ChildProcess[] = [];

function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`);
  return stdout;
}

function buildah(...args: string[]): string {
  return run('buildah', '--storage-driver', 'vfs', ...args);
}

try {
  provideBaseImage(run, buildah, directory);
  build();
  await tryOut();
} finally {
  for (const child of running) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
}

function build(): void {
  const dockerfile = join(directory, 'Dockerfile');
  const text = readFileSync('Dockerfile', 'utf8');
  assert.equal(text.match(/^FROM node:24-slim/gm)?.length, 3, 'the stages begin with the image that was provided');
  writeFileSync(dockerfile, text.replace(/^FROM node:24-slim/gm, `FROM ${baseImage}`));
  const how = [
    '--isolation',
    'chroot',
    '--pull-never',
    '--network',
    'host',
    '--format',
    'docker',
    '--disable-compression',
  ];
  buildah('bud', '--quiet', ...how, '--tag', image, '--file', dockerfile, '.');
}

async function tryOut(): Promise<void> {
  const { Docker } = JSON.parse(buildah('inspect', '--type', 'image', image));
  const { User, Env, Cmd, Healthcheck } = Docker.config;
  assert.equal(User, 'node');
  assert.equal(Healthcheck.Test[0], 'CMD');

  const container = buildah('from', '--pull-never', image).trim();
  try {
    const root = buildah('mount', container).trim();
    const sizes = ['node_modules', 'dist', 'views', 'public'].map((name) => [name, sizeOf(join(root, 'app', name))]);
    console.table({
      image: megabytes(sizeOf(root)),
      ...Object.fromEntries(sizes.map(([name, size]) => [name, megabytes(Number(size))])),
    });
    const writable = run('find', join(root, 'app'), '-user', '1000', '-o', '-perm', '-o=w', '-not', '-type', 'l');
    assert.equal(writable, '', 'the app can change nothing of itself');

    const [redisPort, port] = [await freePort(), await freePort()];
    start('redis-server', '--port', String(redisPort), '--bind', '127.0.0.1', '--save', '');
    const settings = {
      PORT: String(port),
      SIGN_IN: 'trust',
      BASE_URL: `http://localhost:${port}`,
      REDIS_URL: `redis://127.0.0.1:${redisPort}`,
      SESSION_SECRET: 'a secret of the operator of 32 characters and more',
    };
    const environment = Object.entries(settings).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
    const inContainer = (...command: string[]) => [
      ...['--storage-driver', 'vfs', 'run', '--isolation', 'chroot', '--network', 'host', '--user', 'node'],
      ...['--workingdir', '/app', ...environment, container, '--', ...command],
    ];
    const server = start('buildah', ...inContainer(...Cmd));
    await until(async () => (await fetch(`${settings.BASE_URL}/readyz`)).ok);
    await signIn(settings.BASE_URL);
    const check = inContainer(...Healthcheck.Test.slice(1));
    run('buildah', ...check);
    assert.equal(run('buildah', ...inContainer('id', '--user')).trim(), '1000');
    // feature: incidents
    assert.match(run('buildah', ...inContainer('latchkey', 'count')), /1/);
    // end: incidents
    process.kill(appOf(server), 'SIGTERM');
    const [code] = await once(server, 'exit');
    assert.equal(code, 0, 'it closes gracefully on SIGTERM');
    assert.notEqual(spawnSync('buildah', check).status, 0, 'the health check notices that it is gone');
    assert.ok(Env.includes('NODE_ENV=production'));
  } finally {
    buildah('rm', container);
  }
  console.log('the image was built, started, signed in to, and stopped');
}

async function signIn(url: string): Promise<void> {
  const body = new URLSearchParams({ email: 'ann@example.com' });
  const answer = await fetch(`${url}/login`, { method: 'POST', body, redirect: 'manual' });
  const [Cookie = ''] = answer.headers.getSetCookie().map((cookie) => cookie.split(';')[0] ?? '');
  const page = await fetch(`${url}/admin`, { headers: { Cookie } });
  assert.match(await page.text(), /Hello ann@example\.com/);
}

function start(command: string, ...args: string[]): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  running.push(child);
  return child;
}

// buildah passes no signal on, so the server itself gets it.
function appOf({ pid }: ChildProcess): number {
  let found = Number(pid);
  for (;;) {
    const { stdout } = spawnSync('pgrep', ['--parent', String(found)], { encoding: 'utf8' });
    const child = Number(stdout.trim().split('\n')[0]);
    if (!child) return found;
    found = child;
  }
}

function sizeOf(path: string): number {
  return Number(run('du', '--summarize', '--block-size=1', path).split('\t')[0]);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

async function until(look: () => Promise<boolean>): Promise<void> {
  for (const startedAt = performance.now(); performance.now() - startedAt < readyWithinMs; await sleep(100)) {
    if (await look().catch(() => false)) return;
  }
  throw new Error('it did not become ready');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address ? address.port : 0;
}
