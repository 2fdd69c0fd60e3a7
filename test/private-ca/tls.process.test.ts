import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError, readConfig } from '../../src/config.ts';
import { createLogger } from '../../src/log.ts';
import { connectUrl } from '../support/app.ts';
import { newPipe } from '../support/pipe.ts';
import { newDirectory } from '../support/process.ts';
import { password } from '../support/redis-password.ts';
import { expectTrustedOnlyWith, startTls, writeCertificate } from '../support/redis-tls.ts';

test('rediss reaches a Redis whose CA is in CA_FILE, and none whose CA is unknown', async () => {
  const { tlsPort, certificate } = await startTls();
  await expectTrustedOnlyWith(`rediss://:${password}@127.0.0.1:${tlsPort}`, certificate);
});

test('the certificate must be for the host in the URL, whatever address that has', async () => {
  const certificate = writeCertificate('localhost');
  const { tlsPort } = await startTls([], { certificate });
  await expectTrustedOnlyWith(`rediss://:${password}@localhost:${tlsPort}`, certificate);
  await expect(
    connectUrl(`rediss://:${password}@127.0.0.1:${tlsPort}`, createLogger('silent'), { CA_FILE: certificate.cert }),
  ).rejects.toMatchObject({ cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
});

describe('a CA_FILE that cannot be used stops the start', () => {
  const directory = newDirectory('ca-');
  const broken = join(directory, 'broken.pem');
  writeFileSync(broken, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  test.each([
    ['missing', join(directory, 'missing.pem')],
    ['a directory', directory],
    ['only a key', writeCertificate('localhost').key],
    ['damaged', broken],
    ['a pipe that nobody writes to', newPipe()],
    ['a device without end', '/dev/zero'],
  ])('%s', (_what, CA_FILE) => {
    expect(() => readConfig({ CA_FILE })).toThrow(ConfigError);
    expect(() => readConfig({ CA_FILE })).toThrow(/CA_FILE .*PEM file/);
  });
});
