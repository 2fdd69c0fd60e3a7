import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startApp, testRedis } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { pathOf } from '../support/documents.ts';
import { builtFile, newDirectory, systemEnvironment } from '../support/process.ts';
import { cliSecret, runLatchkey } from './run-latchkey.ts';

// Built here, so that the build does not use up the first test's time limit.
builtFile('cli/latchkey.js');
const redisAddress = await testRedis();
const env = { REDIS_URL: `unix://${redisAddress.socketPath}` };
const { url } = await startApp({ redisAddress });

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

test('a wrong command line changes nothing, and shows how it is typed', async () => {
  const ann = await signedIn(url);
  const { code, stdout, stderr } = await runLatchkey(['end', 'ann@example.com', '--everyone', '--yes'], env);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^latchkey: --everyone takes nothing else\n\nUsage:\n {2}latchkey end ADDRESS/);
  expect((await ann.get('/admin')).status).toBe(200);
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

describe('beside the shipped systemd unit', () => {
  const [settings, home] = [newDirectory('etc-'), newDirectory('opt-')];
  mkdirSync(join(settings, 'secrets'));
  writeFileSync(join(settings, 'secrets/session-secret'), cliSecret);
  writeFileSync(join(settings, 'secrets/redis-url'), env.REDIS_URL);
  writeFileSync(join(settings, 'secrets/smtp-url'), 'smtps://mail.example.com'); // feature: mail
  const script = readFileSync(pathOf('deploy/systemd/latchkey'), 'utf8')
    .replaceAll('/etc/latchkey', settings)
    .replaceAll('/opt/latchkey/dist', dirname(dirname(builtFile('cli/latchkey.js'))))
    .replaceAll('/opt/latchkey', home);

  function runScript(lines: string[], more: Record<string, string> = {}) {
    const file = ['BASE_URL=https://login.example.com', 'SIGN_IN=trust', ...lines];
    writeFileSync(join(settings, 'latchkey.env'), `${file.join('\n')}\n`);
    const options = { encoding: 'utf8', env: { ...systemEnvironment(), ...more } } as const;
    return spawnSync('sh', ['-c', script, 'latchkey', 'sessions', 'unit@example.com'], options);
  }

  test('it takes the settings and secrets of the service', async () => {
    await signedIn(url, 'unit@example.com');
    const { status, stdout, stderr } = runScript([]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('unit@example.com has 1 session.');
  });

  test('what the file of settings says goes first', () => {
    expect(runScript(['TRUST_PROXY=nobody']).stderr).toMatch(/^latchkey: TRUST_PROXY takes/);
  });

  test('another Redis user can be given', () => {
    const { status, stderr } = runScript([], { REDIS_URL: 'unix:///nowhere.sock' });
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('ENOENT') });
  });
});
