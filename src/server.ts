import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import closeWithGrace from 'close-with-grace';
import { createApp } from './app.ts';
import { type Config, ConfigError, readConfig, type SessionSecrets } from './config.ts';
import { closeHttpServer, createHttpServer } from './http-server.ts';
import { createLogger, type Logger } from './log.ts';
import { type PrivateRedis, startPrivateRedis } from './private-redis.ts';
import { connectRedis } from './redis.ts';

const dataDirectory = '.data';
const closeWithinMs = 9000;
/** How long a balancer has to see that this process is not ready, before it stops listening. */
const closingNoticeMs = 1000;

try {
  await start();
} catch (error) {
  if (error instanceof ConfigError) console.error(error.message);
  else console.error(`Latchkey can't start: ${explainFailure(error)}`);
  process.exit(1);
}

async function start(): Promise<void> {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const config = readConfig(process.env);
  const log = createLogger(config.logLevel);
  const privateRedis =
    config.redisUrl === undefined ? await startPrivateRedis(join(dataDirectory, 'redis')) : undefined;
  try {
    await serve(config, log, privateRedis);
  } catch (error) {
    await privateRedis?.stop();
    throw error;
  }
}

async function serve(config: Config, log: Logger, privateRedis: PrivateRedis | undefined): Promise<void> {
  const redis = await connectRedis(privateRedis ?? { url: config.redisUrl ?? '' }, log);
  const secrets = config.sessionSecrets ?? keptSecrets();
  let closing = false;
  const app = createApp({ config, secrets, redis, log, isClosing: () => closing });
  const server = createHttpServer(app);
  try {
    await listen(server, config);
  } catch (error) {
    redis.destroy();
    throw error;
  }

  closeWithGrace({ delay: closeWithinMs, logger: undefined }, async ({ signal, err }) => {
    if (err) log.fatal({ err }, 'closing because of an error that nobody caught');
    else log.info({ signal }, 'closing');
    closing = true;
    if (config.production) await sleep(closingNoticeMs);
    await closeHttpServer(server);
    await redis.close();
    await privateRedis?.stop();
    log.info('closed');
  });

  announce(server, config, log);
}

function listen(server: Server, config: Config): Promise<void> {
  return new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(config.port, config.host, () => {
      server.off('error', fail);
      done();
    });
  });
}

function announce(server: Server, config: Config, log: Logger): void {
  const { port } = server.address() as AddressInfo;
  const url = config.origin ?? `http://${config.host === '127.0.0.1' ? 'localhost' : config.host}:${port}`;
  if (config.signIn === 'trust') log.warn('SIGN_IN=trust: whoever types an address is believed to own it');
  log.info({ host: config.host, port, url }, 'listening');
  if (!config.production) console.log(`Latchkey is ready: open ${url}`);
}

// In development the secret is made once and kept, so that sessions survive a restart.
function keptSecrets(): SessionSecrets {
  const file = join(dataDirectory, 'session-secret');
  if (!existsSync(file)) {
    mkdirSync(dataDirectory, { recursive: true });
    writeFileSync(file, randomBytes(32).toString('hex'), { mode: 0o600 });
  }
  return [readFileSync(file, 'utf8').trim()];
}

function explainFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'EADDRINUSE') {
    return 'another program listens on this port already; stop it, or set PORT to another.';
  }
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
