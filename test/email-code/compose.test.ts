import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { compose, imageEnvironment, operator, read } from '../support/docker.ts';

describe('docker-compose.yml', () => {
  test('trusts typed addresses only if SIGN_IN says so', () => {
    const { environment } = compose({ ...operator, SIGN_IN: '' }).services.app;
    expect(() => readConfig({ ...imageEnvironment(), ...environment })).toThrow(/SMTP_URL is missing/);
  });

  test('has a mail catcher for trials, which is not part of a deployment', () => {
    const [, smtpUrl = ''] = /SMTP_URL='(.+?)' docker compose --profile try/.exec(read('docker-compose.yml')) ?? [];
    const { app, mail } = compose({ ...operator, SIGN_IN: '', SMTP_URL: smtpUrl }).services;
    expect(readConfig({ ...imageEnvironment(), ...app.environment })).toMatchObject({
      signIn: 'code',
      mail: { server: { host: 'mail', port: 1025, tls: 'opportunistic' } },
    });
    expect(new URL(smtpUrl)).toMatchObject({ hostname: 'mail', port: '1025' });
    expect(mail.profiles).toEqual(['try']);
    expect(mail.ports).toEqual(['127.0.0.1:8025:8025']);
  });
});
