import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { pathOf } from '../support/documents.ts';
import { builtFile, newDirectory, systemEnvironment } from '../support/process.ts';
import { testRedis } from '../support/test-redis.ts';
import { cliSecret } from './run-latchkey.ts';

const redisAddress = await testRedis();
const redisUrl = `unix://${redisAddress.socketPath}`;
const { url } = await startApp({ redisAddress });

const [settings, home] = [newDirectory('etc-'), newDirectory('opt-')];
mkdirSync(join(settings, 'secrets'));
writeFileSync(join(settings, 'secrets/session-secret'), cliSecret);
writeFileSync(join(settings, 'secrets/redis-url'), redisUrl);
const script = readFileSync(pathOf('deploy/systemd/latchkey'), 'utf8')
  .replaceAll('/etc/latchkey', settings)
  .replaceAll('/opt/latchkey/dist', dirname(dirname(builtFile('cli/latchkey.js'))))
  .replaceAll('/opt/latchkey', home);

function runScript(lines: string[], more: Record<string, string> = {}, origin = 'https://login.example.com') {
  const file = [`BASE_URL=${origin}`, 'SIGN_IN=trust', ...lines];
  writeFileSync(join(settings, 'latchkey.env'), `${file.join('\n')}\n`);
  const options = { encoding: 'utf8', env: { ...systemEnvironment(), ...more } } as const;
  return spawnSync('sh', ['-c', script, 'latchkey', 'sessions', 'unit@example.com'], options);
}

describe('deploy/systemd/latchkey', () => {
  test('takes the settings and secrets of the service', async () => {
    await signedIn(url, 'unit@example.com');
    const { status, stdout, stderr } = runScript([]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('unit@example.com has 1 session.');
  });

  test('lets latchkey.env override its defaults', () => {
    for (const line of ['TRUST_PROXY=nobody', ' TRUST_PROXY = nobody']) {
      expect(runScript([line]).stderr).toMatch(/^latchkey: TRUST_PROXY takes/);
    }
    expect(runScript(['SESSION_SECRET_FILE=/nowhere']).stderr).toContain('/nowhere');
  });

  test('is in production unless latchkey.env says otherwise', () => {
    const origin = 'http://login.example.com';
    expect(runScript([], {}, origin).stderr).toContain('BASE_URL must be https in production');
    expect(runScript(['NODE_ENV=test'], {}, origin).status).toBe(0);
  });

  test('can be given another Redis user', () => {
    const { status, stderr } = runScript([], { REDIS_URL: 'unix:///nowhere.sock' });
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('ENOENT') });
    expect(runScript([], { REDIS_URL_FILE: '/no/file' }).stderr).toContain('/no/file');
  });

  // feature: metrics
  test('takes a METRICS_HOST without a METRICS_PORT in latchkey.env', () => {
    const { status, stdout, stderr } = runScript(['METRICS_HOST=127.0.0.2']);
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: expect.stringContaining('unit@'), stderr: '' });
  });
  // end: metrics

  // feature: mail
  test('takes the mail server, which the tests above do without', () => {
    writeFileSync(join(settings, 'secrets/smtp-url'), 'https://mail.example.com');
    expect(runScript([]).stderr).toContain('SMTP_URL takes');
    writeFileSync(join(settings, 'secrets/smtp-url'), 'smtps://mail.example.com');
    expect(runScript([]).status).toBe(0);
  });
  // end: mail
});
