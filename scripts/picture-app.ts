import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { createApp, openRedis } from '../src/app.ts';
import { readConfig } from '../src/config.ts';
import type { Development } from '../src/core.ts';
import * as ownDevelopment from '../src/dev/index.ts';
import { startPrivateRedis } from '../src/dev/private-redis.ts';
import { closeHttpServer } from '../src/http/http-server.ts';
import { createLogger } from '../src/log.ts';
import { launchChromium } from '../test/support/browser.ts';
import { type Closers, withCleanup } from './cleanup.ts';

type Options = { env: Record<string, string>; development?: Development };

/** Takes pictures of an app with a Redis of its own. */
export async function withPictureApp(
  { env, development = ownDevelopment }: Options,
  takePictures: (browser: Browser, url: string) => Promise<void>,
): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), 'latchkey-screenshots-'));
  const closers: Closers = [() => rmSync(data, { recursive: true, force: true })];
  await withCleanup(closers, async () => {
    const { socketPath, stop } = await startPrivateRedis(data);
    closers.push(stop);
    const log = createLogger('fatal');
    const config = readConfig(env);
    const { client: redis } = await openRedis({ kind: 'single', address: { socketPath } }, { config, log });
    closers.push(() => redis.destroy());
    const secrets: [string] = [crypto.randomUUID()];
    const { server, services } = createApp({ config, secrets, redis, log, isClosing: () => false, development });
    for (const service of services) {
      await service.start?.();
      closers.push(() => service.stop?.());
    }
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    closers.push(() => closeHttpServer(server));
    const browser = await launchChromium();
    closers.push(() => browser.close());
    await takePictures(browser, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
}
