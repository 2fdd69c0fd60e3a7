import { closeSync, openSync, readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { builtFile } from '../support/process.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';
import { runLatchkey, typeToLatchkey } from './run-latchkey.ts';

// Built here, so that the build does not use up the first test's time limit.
builtFile('cli/latchkey.js');
const redisAddress = await testRedis();
const env = { REDIS_URL: `unix://${redisAddress.socketPath}` };
const { url, redis } = await startApp({ redisAddress });

test('a command answers on standard output: text for people, JSON for scripts', async () => {
  const ann = await signedIn(url);
  const text = await runLatchkey(['sessions', 'ann@example.com'], env);
  expect(text).toMatchObject({
    code: 0,
    stderr: '',
    stdout: expect.stringContaining('ann@example.com has 1 session.'),
  });
  const json = await runLatchkey(['sessions', 'ann@example.com', '--json'], env);
  expect(json).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(json.stdout)).toMatchObject({ address: 'ann@example.com' });
  expect((await ann.get('/admin')).status).toBe(200);
});

test("what can't be undone needs a terminal to ask on, or --yes", async () => {
  const ann = await signedIn(url);
  expect(await runLatchkey(['end', '--everyone'], env)).toMatchObject({
    ...{ code: 3, stdout: '' },
    stderr: expect.stringContaining('no terminal to confirm on; pass --yes'),
  });
  expect((await ann.get('/admin')).status).toBe(200);
  expect(await runLatchkey(['end', '--everyone', '--yes'], env)).toMatchObject({ code: 0 });
  expect((await ann.get('/admin')).status).toBe(401);
});

test.each([
  ['no', 'no\r'],
  ['nothing but Enter', '\r'],
  ['Ctrl-C', '\x03'],
  ['Ctrl-D', '\x04'],
])('on a terminal, %s confirms nothing', async (_, keys) => {
  const ann = await signedIn(url);
  const { code, stdout } = await typeToLatchkey(keys, ['end', '--everyone'], env);
  expect(stdout).toMatch(/continue: [\s\S]*\nlatchkey: Nothing was done\.\r\n$/);
  expect(code).toBe(3);
  expect((await ann.get('/admin')).status).toBe(200);
});

test('on a terminal, yes confirms', async () => {
  const ann = await signedIn(url);
  expect(await typeToLatchkey('yes\r', ['end', '--everyone'], env)).toMatchObject({ code: 0 });
  expect((await ann.get('/admin')).status).toBe(401);
});

test('a wrong command line changes nothing, and shows how it is typed', async () => {
  const ann = await signedIn(url);
  const { code, stdout, stderr } = await runLatchkey(['--yes', 'end', 'ann@example.com', '--everyone'], env);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^latchkey: --everyone takes nothing else\n\nUsage:\n {2}latchkey end ADDRESS/);
  expect((await ann.get('/admin')).status).toBe(200);
});

test('it exits with 0 and prints no error when its reader closes the pipe, as `head` does', async () => {
  for (const words of [['count'], ['--help'], ['--version']]) {
    expect(await runLatchkey(words, env, 'nobody')).toEqual({ code: 0, stdout: '', stderr: '' });
  }
});

test.runIf(process.platform === 'linux')(
  'an answer that cannot be written ends it with code 1 and the reason',
  async () => {
    const ann = await signedIn(url);
    const full = openSync('/dev/full', 'w');
    onTestFinished(() => closeSync(full));
    expect(await runLatchkey(['end', 'ann@example.com'], env, full)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^latchkey: the answer could not be written \(ENOSPC: [^\n]*\)\n$/),
    });
    expect((await ann.get('/admin')).status).toBe(401);
  },
);

test('its version needs neither settings nor Redis', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  expect(await runLatchkey(['--version'], { REDIS_URL: 'nonsense' })).toEqual({
    ...{ code: 0, stderr: '' },
    stdout: `${version}\n`,
  });
});

test('help needs neither settings nor Redis', async () => {
  const { code, stdout } = await runLatchkey(['--help'], { REDIS_URL: 'nonsense' });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^ {2}latchkey end ADDRESS/m);
});

test('a Redis that is away, and settings that are wrong, end it with code 1 and the reason', async () => {
  expect(await runLatchkey(['count'], { REDIS_URL: 'unix:///nowhere.sock' })).toMatchObject({
    ...{ code: 1, stdout: '' },
    stderr: expect.stringMatching(/^latchkey: Redis could not be reached within 2 s \(.*ENOENT/m),
  });
  expect(await runLatchkey(['count'], { REDIS_URL: 'nonsense' })).toMatchObject({
    ...{ code: 1, stdout: '' },
    stderr: expect.stringMatching(/^latchkey: REDIS_URL takes/m),
  });
});

test('what was done holds, and is told, even if the app cannot log it', async () => {
  await redis.set('operator-log', 'of another application');
  const { code, stdout, stderr } = await runLatchkey(['block', '127.0.0.1', '--for', '1m'], env);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('Nobody can sign in from 127.0.0.1') });
  expect(stderr).toMatch(/^latchkey: this is not in the app's log: .*WRONGTYPE/);
  const signIn = async () => (await new Visitor(url).post('/login', { form: { email: 'ann@example.com' } })).status;
  await expect.poll(signIn).toBe(403);
  await redis.del(['operator-log', 'blocks']);
});

// feature: redis-checks
test('a machine whose clock is ahead counts and lists the same sessions', async () => {
  const NODE_OPTIONS = `--import ${new URL('../support/clock-ahead.mjs', import.meta.url).href}`;
  const ahead = { ...env, NODE_OPTIONS, CLOCK_AHEAD_MS: String(8 * 86_400_000) };
  await runLatchkey(['end', '--everyone', '--yes'], ahead);
  await signedIn(url, 'ahead@example.com');
  expect((await runLatchkey(['count'], ahead)).stdout).toMatch(/^1 live session of 1 address\n/);
  expect((await runLatchkey(['sessions', 'ahead@example.com'], ahead)).stdout).toContain('has 1 session.');
  await expect.poll(async () => (await runLatchkey(['why', 'ahead@example.com'], ahead)).stdout).toContain('signed in');
});
// end: redis-checks
