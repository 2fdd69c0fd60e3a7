import { expect, test } from 'vitest';
import { afterwards } from '../support/afterwards.ts';
import { connectUrl } from '../support/app.ts';
import { password } from '../support/redis-password.ts';
import { expectUnreachable } from '../support/redis-start.ts';
import { startTls } from '../support/redis-tls.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

test('a start says what to do about a Redis that speaks TLS, or whose CA is unknown', async () => {
  const { tlsPort } = await startTls();
  const location = `:${password}@127.0.0.1:${tlsPort}`;
  await expectUnreachable(`redis://${location}`, /: if that port speaks TLS only, write rediss in REDIS_URL/);
  await expectUnreachable(`rediss://${location}`, /not trusted \(self-signed certificate\): name .* in CA_FILE$/);
});

test.concurrent.each(['TLSv1.2', 'TLSv1.3'])(
  'a start says that client certificates are not supported, with %s',
  async (version) => {
    const { tlsPort, certificate } = await startTls(['--tls-auth-clients', 'yes', '--tls-protocols', version]);
    const attempt = connectUrl(`rediss://:${password}@127.0.0.1:${tlsPort}`, undefined, { CA_FILE: certificate.cert });
    await expect(attempt).rejects.toMatchObject({
      cause: { message: expect.stringMatching(/^[^\n]*set tls-auth-clients no[^\n]*$/) },
    });
  },
);

test('a connection that was given up during its handshake does not stay once that is complete', async () => {
  const { tlsPort, certificate } = await startTls();
  const link = await startTcpProxy({ host: '127.0.0.1', port: tlsPort });
  afterwards(link.close);
  const url = `rediss://:${password}@127.0.0.1:${link.port}`;
  const redis = await connectUrl(url, undefined, { CA_FILE: certificate.cert });
  afterwards(() => redis.destroy());
  const before = link.accepted();
  link.hold();
  link.reset();
  await expect.poll(link.accepted).toBeGreaterThan(before + 2);
  link.release();
  await expect.poll(() => redis.get('any').catch(String)).toBeNull();
  await expect.poll(link.connections).toBe(1);

  const tried = link.accepted();
  link.hold();
  link.reset();
  await expect.poll(link.accepted).toBeGreaterThan(tried);
  redis.destroy();
  link.release();
  await expect.poll(link.connections).toBe(0);
});
