import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';
import { newDirectory } from '../support/process.ts';
import { password } from '../support/redis-password.ts';
import { expectTrustedOnlyWith, startTls } from '../support/redis-tls.ts';

test('rediss+sentinel reaches Sentinels and primary with the CA in CA_FILE, and none whose CA is unknown', async () => {
  const primary = await startTls();
  const { certificate } = primary;
  const configFile = join(newDirectory('tls-sentinel-'), 'sentinel.conf');
  const watched = `sentinel monitor one 127.0.0.1 ${primary.tlsPort} 1\nsentinel auth-pass one ${password}\n`;
  writeFileSync(configFile, watched);
  const sentinel = await startTls(['--sentinel'], { configFile, certificate });
  const url = `rediss+sentinel://:${password}@127.0.0.1:${sentinel.tlsPort}/one?sentinel_password=${password}`;
  await expectTrustedOnlyWith(url, certificate);
});
