import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { createLogger } from '../../src/log.ts';
import { connectUrl } from './app.ts';
import { certificateFor } from './certificate.ts';
import { freePort, newDirectory } from './process.ts';
import { password } from './redis-password.ts';
import { type RedisServer, startRedisServer } from './redis-server.ts';

/** The paths of a certificate and its key. */
type CertificateFiles = { cert: string; key: string };

type TlsServer = RedisServer & { tlsPort: number; certificate: CertificateFiles };

/** A certificate for this host, which is its own CA. */
export function writeCertificate(host: string): CertificateFiles {
  const directory = newDirectory('tls-');
  const { cert, key } = certificateFor(host);
  const files = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key);
  return files;
}

/** A Redis that listens with TLS on a port of its own. */
export async function startTls(
  args: string[] = [],
  options: { configFile?: string; certificate?: CertificateFiles } = {},
): Promise<TlsServer> {
  const { configFile, certificate = writeCertificate('127.0.0.1') } = options;
  const { cert, key } = certificate;
  const tlsPort = await freePort();
  const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert];
  const settings = ['--tls-port', String(tlsPort), ...files, '--tls-auth-clients', 'no', '--tls-replication', 'yes'];
  return { ...(await startRedisServer(password, [...settings, ...args], configFile)), tlsPort, certificate };
}

/** Holds that what this URL names is reached with this CA, and not without. */
export async function expectTrustedOnlyWith(url: string, { cert }: CertificateFiles): Promise<void> {
  const log = createLogger('silent');
  const trusting = await connectUrl(url, log, { CA_FILE: cert });
  await trusting.set('key', 'value');
  expect(await trusting.get('key')).toBe('value');
  trusting.destroy();
  await expect(connectUrl(url, log)).rejects.toMatchObject({ cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } });
}
