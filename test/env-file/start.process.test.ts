import { existsSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { newPipe } from '../support/pipe.ts';
import { builtFile, newDirectory, startProcess, startServer } from '../support/process.ts';

const secret = 'a secret of the operator of 32 characters and more';

describe('settings', () => {
  test('are read from .env, and the environment goes first', async () => {
    const cwd = newDirectory('env-');
    writeFileSync(join(cwd, '.env'), 'BASE_URL=http://localhost:8080\nPORT=wrong\n');
    const server = await startServer({ cwd });
    await expect.poll(server.printed).toContain('Latchkey is ready: open http://localhost:8080\n');
  });

  test('are read from .env as PowerShell saves it: production stays production', async () => {
    const cwd = newDirectory('env-');
    writeFileSync(join(cwd, '.env'), '\ufeffNODE_ENV=production\r\nLOG_LEVEL=warn\r\n', 'utf16le');
    const server = startProcess({ cwd, env: { PORT: '0' } });
    expect(await server.ended).toEqual({ code: 1, signal: null });
    expect(server.printed()).toMatch(/^ {2}- REDIS_URL is missing/m);
  });

  test('stop the start where a line of .env is not understood', async () => {
    const cwd = newDirectory('env-');
    writeFileSync(join(cwd, '.env'), `SESSION_SECRET='${secret}'\nSESSION_IDEL=5m\nNODE_ENV production\n`);
    const server = startProcess({ cwd, env: { PORT: '0' } });
    expect(await server.ended).toEqual({ code: 1, signal: null });
    expect(server.printed()).toBe(`Latchkey can't start: 
  - .env, line 3: expected NAME=value, or a comment that begins with #
  - .env, line 2: SESSION_IDEL is not a setting; did you mean SESSION_IDLE?
`);
    expect(existsSync(join(cwd, '.data'))).toBe(false);
  });

  test('are looked for under misspelt names in the environment, which are warned of', async () => {
    const server = await startServer({ env: { SESSION_IDEL: '5m' } });
    expect(server.logged('a variable in the environment looks like a misspelt setting')).toMatchObject([
      { name: 'SESSION_IDEL', setting: 'SESSION_IDLE' },
    ]);
  });
});

describe('a secret in a pipe', () => {
  const production = {
    ...{ NODE_ENV: 'production', BASE_URL: 'http://localhost:3000', SIGN_IN: 'trust', PORT: '0', LOG_LEVEL: 'silent' },
    // Nobody listens there: whoever gets as far has read the secret.
    REDIS_URL: 'redis://127.0.0.1:1',
  };
  /** A server that `sh` starts with this command, in which `$server` stands for the program. */
  const start = (command: string, env: Record<string, string>) =>
    startProcess({
      command: ['sh', '-c', command],
      env: { ...production, server: `${process.execPath} ${builtFile('server.js')}`, ...env },
    });
  const slowly = `{ sleep 0.5; echo '${secret}'; }`;

  test.each([
    ['standard input', `${slowly} | $server`, { SESSION_SECRET_FILE: '/dev/stdin' }],
    ['what a shell has opened', `${slowly} | $server 5<&0 </dev/null`, { SESSION_SECRET_FILE: '/dev/fd/5' }],
  ])('is read by a single process: %s', async (_what, command, env) => {
    const server = start(command, env);
    expect(await server.ended).toEqual({ code: 1, signal: null });
    expect(server.printed()).toMatch(/^Latchkey can't start: Redis could not be reached/);
  });

  test('is read from a named pipe, whose writer comes later', async () => {
    const pipe = newPipe();
    const server = start(`${slowly} >${pipe} & exec $server`, { SESSION_SECRET_FILE: pipe });
    expect(await server.ended).toEqual({ code: 1, signal: null });
    expect(server.printed()).toMatch(/^Latchkey can't start: Redis could not be reached/);
  });

  test.each([
    ['whose writer never ends', 'exec $server <>$SESSION_SECRET_FILE'],
    ['without a writer', 'exec $server'],
  ])('does not hold up the start for ever: one %s', async (_what, command) => {
    const server = start(command, { SESSION_SECRET_FILE: newPipe() });
    expect(await server.ended).toEqual({ code: 1, signal: null });
    expect(server.printed()).toMatch(/SESSION_SECRET_FILE names .*, which is a pipe that did not end within 10 s/);
  });

  // feature: workers
  test('is refused with WORKERS, with the reason', async () => {
    const server = start(`echo '${secret}' | $server`, { SESSION_SECRET_FILE: '/dev/stdin', WORKERS: '2' });
    expect(await server.ended).toEqual({ code: 1, signal: null });
    expect(server.printed()).toBe(`Latchkey can't start: 
  - SESSION_SECRET_FILE names /dev/stdin, which is a pipe, which only one process can read; with WORKERS, name a file
`);
  });
  // end: workers
});

test.each([
  ['a pipe', newPipe()],
  ['a device', '/dev/zero'],
])('an .env that is %s is refused', async (what, target) => {
  const cwd = newDirectory('env-');
  symlinkSync(target, join(cwd, '.env'));
  const server = startProcess({ cwd, env: { PORT: '0' } });
  expect(await server.ended).toEqual({ code: 1, signal: null });
  expect(server.printed()).toContain(`.env is ${what}; name a regular file`);
});

describe('setup.mjs', () => {
  const script = fileURLToPath(new URL('../../scripts/setup.mjs', import.meta.url));
  // Whatever it wanted to install could not be found.
  const PATH = newDirectory('path-');
  const setUp = (text: string) => {
    const cwd = newDirectory('cwd-');
    writeFileSync(join(cwd, '.env'), text);
    return startProcess({ cwd, command: [process.execPath, script, 'redis'], env: { PATH } });
  };

  test('asks for no Redis where .env names one', async () => {
    const run = setUp('REDIS_URL=redis://localhost\n');
    expect(await run.ended).toEqual({ code: 0, signal: null });
    expect(run.printed()).toBe('');
  });

  test('stops where a line of .env is not understood, since it may be the one that says production', async () => {
    const run = setUp('NODE_ENV: production\n');
    expect(await run.ended).toEqual({ code: 1, signal: null });
    expect(run.printed()).toBe(`Latchkey can't start: 
  - .env, line 1: expected NAME=value, or a comment that begins with #
`);
  });
});
