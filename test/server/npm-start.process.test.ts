import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { copyProject, killGroup, startProcess, startServer, watchRedis } from '../support/process.ts';
import { Visitor } from '../support/visitor.ts';

let cwd: string;
/** The build checks the types, beside whatever else this machine does. */
const patienceMs = 90_000;
beforeAll(() => {
  cwd = copyProject();
});

function edit(file: string, from: string, to: string): void {
  const text = readFileSync(join(cwd, file), 'utf8');
  expect(text).toContain(from);
  writeFileSync(join(cwd, file), text.replace(from, to));
}

describe('npm start', { timeout: 120_000 }, () => {
  const command = ['npm', 'start'];

  test('in production builds nothing, and tells what to do', async () => {
    const server = startProcess({ cwd, command, env: { NODE_ENV: 'production' } });
    expect(await server.ended).toEqual({ code: 1, signal: null });
    expect(server.printed()).toContain('npm ci --include=dev && npm run build');
    expect(existsSync(join(cwd, 'dist'))).toBe(false);
  });

  test('builds, starts, and passes a SIGTERM on', async () => {
    const server = await startServer({ cwd, command, patienceMs });
    await new Visitor(server.url()).signIn('ann@example.com');
    const redis = await watchRedis(cwd);
    process.kill(server.pid, 'SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(server.logged('closed')).toHaveLength(1);
    await expect.poll(() => redis?.isRunning()).toBe(false);
  });

  // The terminal sends it to npm and to the server, and npm passes it on to the server once more.
  test('closes in order on Ctrl-C', async () => {
    // The previous test's build has checked the types.
    edit('package.json', 'tsc -p tsconfig.build.json', 'tsc -p tsconfig.build.json --noCheck');
    const server = await startServer({ cwd, command, patienceMs });
    const redis = await watchRedis(cwd);
    killGroup(server.pid, 'SIGINT');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(server.logged('closed')).toHaveLength(1);
    await expect.poll(() => redis?.isRunning()).toBe(false);
  });
});

describe('npm run dev', () => {
  test('reloads when a view or the source changes, and passes a SIGTERM on', async () => {
    const server = await startServer({ cwd, command: ['npm', 'run', 'dev'] });
    const textOf = async (path: string) => (await new Visitor(server.url()).get(path).catch(() => undefined))?.text;
    edit('views/home.ejs', 'A session login, done right', 'Changed while it ran');
    await expect.poll(() => textOf('/'), { timeout: 30_000 }).toContain('Changed while it ran');
    edit('src/routes/health.ts', "send('ok\\n')", "send('changed\\n')");
    await expect.poll(() => textOf('/livez'), { timeout: 30_000 }).toBe('changed\n');

    const redis = await watchRedis(cwd);
    process.kill(server.pid, 'SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    await expect.poll(() => redis?.isRunning()).toBe(false);
  });
});
